# Turns catalog/*.tsv into the C arrays that src/kis/catalog.c includes. What a
# table holds is told by the names of its columns.
# Usage: awk -f generate.awk *.tsv

function c(text) { gsub(/["\\]/, "\\\\&", text); return "\"" text "\"" }
function value(name) { return name in column ? $column[name] : "" }
function text_of(name) { return c(value(name)) }
function class_of(name) { return name == "ok" ? "KIS_OK" : "KIS_ERROR_" toupper(name) }
function yes(flag) { return flag == "t" ? "true" : "false" }
function close_array() { if (open) print "};\n" }

BEGIN { FS = "\t"; print "/* made by generate.awk from the tables of catalog */\n" }

FNR == 1 {
	close_array()
	open = 1
	split("", column)
	field = ""
	for (i = 1; i <= NF; i++) {
		column[$i] = i
		if ($i ~ /_field$/)
			field = $i
	}
	if (field != "") {
		list = lists[nlists++] = substr(field, 1, length(field) - 6)
		nmembers = 0
		# the rest of the extension knows the trend call's by name
		print (list == "kis" ? "" : "static ") "const KisMember " list "_members[] = {"
	}
	else if ("kis_prefix" in column)
		print "const KisInvestor kis_investors[] = {"
	else if ("measure" in column)
		print "const KisMeasure kis_measures[] = {"
	else if ("of_call" in column)
		print "const KisPolicy kis_policies[] = {"
	else if ("counts_against" in column)
		print "const KisCodeRule kis_code_rules[] = {"
	else if ("comment" in column)
		print "const KisComment kis_comments[] = {"
	else if ("sector_code" in column)
		print "const KisPair kis_pairs[] = {"
	else
		print "const KisMarket kis_markets[] = {"
	next
}

field != "" {
	type = "type" in column ? value("type") : "int8"
	position[list, value("column_name")] = nmembers++
	printf "\t{%s, %s, %s, %s, %s, %s},\n", text_of(field), text_of("column_name"), c(type),
		text_of("name_ko"), text_of("name_en"),
		"figure" in column ? yes(value("figure")) : type == "int8" ? "true" : "false"
	next
}
"kis_prefix" in column {
	investor[ninvestors++] = value("investor")
	printf "\t{%s, %s, %s, %s, %s, %s},\n", text_of("kis_prefix"), text_of("investor"),
		text_of("name_ko"), text_of("name_en"), text_of("part_of"), text_of("name_ko_screen")
	next
}
"measure" in column {
	measure[nmeasures++] = value("measure")
	printf "\t{%s, %s, %s, %s},\n", text_of("measure"), text_of("name_ko"), text_of("name_en"),
		value("unit_of") == "amount" ? "true" : "false"
	next
}
"of_call" in column {
	printf "\t[%s] = {KIS_RETRY_%s, KIS_RETRY_%s, KIS_RETRY_%s},\n", class_of(value("error_class")),
		toupper(value("of_call")), toupper(value("of_token_request")), toupper(value("of_others"))
	next
}
"counts_against" in column {
	printf "\t{%s, %s, %s, %s, %s, %s},\n", text_of("code"), value("from_status"), value("to_status"),
		class_of(value("error_class")), value("counts_against") == "app_key" ? "true" : "false", value("hint") == "" ? "NULL" : "kis_noop(" text_of("hint") ")"
	next
}
"comment" in column {
	printf "\t{%s, %s, %s},\n", text_of("part"), value("column_name") == "" ? "NULL" : text_of("column_name"),
		text_of("comment")
	next
}
"sector_code" in column {
	printf "\t{%s, %s, %s, %s, %s, %s, %s, %s},\n", text_of("market_code"), text_of("sector_code"),
		text_of("name_ko"), text_of("name_en"), yes(value("headline")),
		text_of("quantity_unit"), text_of("amount_unit"), text_of("old_name_ko")
	next
}
{
	printf "\t{%s, %s, %s, %s},\n", text_of("market_code"), text_of("name_ko"),
		text_of("name_en"), text_of("aliases")
}

# The members that a call goes by have columns of these names.
function print_member(list, role, name) {
	print "\t" list "_" role "_member = " ((list, name) in position ? position[list, name] : -1) ","
}

END {
	close_array()
	print "enum {"
	for (i = 0; i < nlists; i++) {
		print_member(lists[i], "day", "trade_date")
		print_member(lists[i], "investor", "investor")
		print_member(lists[i], "open", "is_open")
	}
	print "};\n"
	# Where a measure of an investor stands: KIS's order is not the same for all.
	print "static const int figures[][" nmeasures "] = {"
	for (i = 0; i < ninvestors; i++) {
		row = ""
		for (m = 0; m < nmeasures; m++) {
			name = investor[i] "_" measure[m]
			if (!(("kis", name) in position)) {
				print "no member is " name >"/dev/stderr"
				exit 1
			}
			row = row (m ? ", " : "") position["kis", name]
		}
		print "\t{" row "},"
	}
	print "};"
}
