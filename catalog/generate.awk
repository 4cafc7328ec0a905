# Turns catalog/*.tsv into the C arrays that src/kis/catalog.c includes.
# Usage: awk -f generate.awk markets.tsv investors.tsv fields.tsv sectors.tsv

function c(text) { gsub(/["\\]/, "\\\\&", text); return "\"" text "\"" }
function yes(flag) { return flag == "t" ? "true" : "false" }
function close_array() { if (open) print "};\n" }

BEGIN { FS = "\t"; print "/* made by generate.awk from the tables of catalog */\n" }

FNR == 1 {
	close_array()
	open = 1
	split("", column)
	for (i = 1; i <= NF; i++)
		column[$i] = i
	if ("kis_field" in column) {
		kind = "member"; print "const KisMember kis_members[] = {"
	} else if ("kis_prefix" in column) {
		kind = "investor"; print "const KisInvestor kis_investors[] = {"
	} else if ("sector_code" in column) {
		kind = "pair"; print "const KisPair kis_pairs[] = {"
	} else {
		kind = "market"; print "const KisMarket kis_markets[] = {"
	}
	next
}

kind == "member" {
	printf "\t{%s, %s, %s, %s},\n", c($column["kis_field"]), c($column["column_name"]),
		c($column["name_ko"]), yes($column["in_daily"])
	fields[++nfields] = $column["kis_field"]
}
kind == "investor" {
	printf "\t{%s, %s, %s, %s, %s, %s},\n", c($column["kis_prefix"]), c($column["investor"]),
		c($column["name_ko"]), c($column["name_en"]), c($column["part_of"]), c($column["name_ko_screen"])
}
kind == "market" {
	printf "\t{%s, %s, %s, %s},\n", c($column["market_code"]), c($column["name_ko"]),
		c($column["name_en"]), c($column["aliases"])
}
kind == "pair" {
	printf "\t{%s, %s, %s, %s, %s, %s, %s, %s},\n", c($column["market_code"]), c($column["sector_code"]),
		c($column["name_ko"]), c($column["name_en"]), yes($column["headline"]),
		c($column["quantity_unit"]), c($column["amount_unit"]), c($column["old_name_ko"])
}

END {
	close_array()
	print "static const char *const trend_members[] = {"
	for (i = 1; i <= nfields; i++)
		printf "\t%s,\n", c(fields[i])
	print "};"
}
