"""A CA and a certificate for TLS on loopback, made with the openssl command."""

import os
import ssl
import subprocess


def _openssl(directory, *arguments):
    done = subprocess.run(('openssl', *arguments), cwd=directory, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        raise OSError('openssl %s: %s' % (arguments[0], done.stderr.strip()))


def make(directory, names):
    """Write ca.pem, server.pem and server.key; names are hosts and addresses."""
    os.makedirs(directory, exist_ok=True)
    subject = ','.join(('IP:' if n.replace('.', '').isdigit() or ':' in n else 'DNS:') + n
                       for n in names)
    with open(os.path.join(directory, 'server.ext'), 'w', encoding='ascii') as file:
        file.write('subjectAltName=%s\nextendedKeyUsage=serverAuth\n'
                   'basicConstraints=CA:FALSE\n' % subject)
    curve = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes')
    _openssl(directory, 'req', '-x509', *curve, '-keyout', 'ca.key', '-out', 'ca.pem',
             '-days', '30', '-subj', '/CN=KIS simulator CA',
             '-addext', 'keyUsage=critical,keyCertSign')
    _openssl(directory, 'req', *curve, '-keyout', 'server.key', '-out', 'server.csr',
             '-subj', '/CN=KIS simulator')
    _openssl(directory, 'x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key',
             '-set_serial', '2', '-days', '30', '-extfile', 'server.ext', '-out', 'server.pem')


def context(directory):
    """The server's TLS context, TLS 1.2 or newer as KIS's."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.load_cert_chain(os.path.join(directory, 'server.pem'),
                        os.path.join(directory, 'server.key'))
    return tls
