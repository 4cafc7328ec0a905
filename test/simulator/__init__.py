"""A simulator of the KIS Open API, as far as the extension calls it.

catalog      the markets, sectors, investors and members of catalog/*.tsv
config       what can be set, and the defaults
clock        Korean time, open days and where in the session we are
figures      the calls' rows
fixed        figures for tests to count on
lifelike     figures as a real day's could be
shares       which share sectors and investors have in the markets
tokens       the token endpoint's rules
rate         the limit of calls a second
documented   how a request differs from the documented one
answers      the endpoints: a request in, a reply out
faults       which fault a request gets
distort      faults that change a reply's bytes
deliver      faults that act on the socket
records      what arrived, for tests to assert on
admin        the calls below /_simulator/
wire         HTTP/1.1 over asyncio
certificate  a CA and a certificate for TLS on loopback
"""
