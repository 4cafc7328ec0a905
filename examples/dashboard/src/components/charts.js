// The charts: red is bought, blue is sold, and an investor's line has a colour that
// is neither. Amounts are in 억원.
import * as Plot from "@observablehq/plot";
import {clock, colourOf, format, formatIndex, formatNet, investors, moment} from "./page.js";

const bought = "#c8373b", sold = "#2f62b5", soft = "#57606a";
const lineColour = {individual: "#d98200", foreign: "#7b3294", institution: "#1a7a4c"};
const style = {fontFamily: "var(--sans-serif)", fontSize: "12.5px", color: "#1f2328"};

// So much beside the longest bar that its figure has room
function widest(values, width, room) {
  const largest = Math.max(1, ...values.map(Math.abs));
  const half = Math.max(40, width / 2);
  return (largest * half) / Math.max(20, half - room);
}

const sides = () => [
  Plot.text(["◀ 순매도 Sold"], {frameAnchor: "top", x: 0, dx: -8, dy: -22, textAnchor: "end", fill: sold, facetAnchor: "top"}),
  Plot.text(["순매수 Bought ▶"], {frameAnchor: "top", x: 0, dx: 8, dy: -22, textAnchor: "start", fill: bought, facetAnchor: "top"})
];

// A bar an investor, those that are parts of the institutions lighter and set in
export function investorBars(rows, width) {
  const marginLeft = 72;
  const limit = widest(rows.map((d) => d.net), width - marginLeft, 58);
  const name = (d) => d.name;
  return Plot.plot({
    width, height: 40 + rows.length * 29, marginLeft, marginRight: 0, marginTop: 36, marginBottom: 4, style,
    x: {domain: [-limit, limit], axis: null},
    y: {domain: rows.map(name), label: null, axis: null, padding: 0.28},
    marks: [
      ...sides(),
      Plot.axisY({tickSize: 0, label: null, textAnchor: "start", dx: -62,
        tickFormat: (n) => (rows.find((d) => d.name === n).part ? `\u2002${n}` : n)}),
      Plot.barX(rows, {x: "net", y: name, fill: (d) => (d.net < 0 ? sold : bought), fillOpacity: (d) => (d.part ? 0.5 : 1)}),
      ...[true, false].map((buys) => Plot.text(rows.filter((d) => d.net >= 0 === buys), {
        x: "net", y: name, text: (d) => formatNet(d.net), textAnchor: buys ? "start" : "end", dx: buys ? 5 : -5,
        fill: (d) => colourOf(d.net), fontVariant: "tabular-nums"})),
      Plot.ruleX([0], {stroke: "#8c959f"})
    ]
  });
}

// Two bars an investor: cash full, futures hollow
export function pairedBars(rows, width) {
  const marginLeft = 100;
  const bars = rows.flatMap((d) => [{...d, kind: "현물", net: d.cash}, {...d, kind: "선물", net: d.futures}]);
  const limit = widest(bars.map((d) => d.net), width - marginLeft, 62);
  return Plot.plot({
    width, height: 44 + rows.length * 48, marginLeft, marginRight: 0, marginTop: 36, marginBottom: 4, style,
    x: {domain: [-limit, limit], axis: null},
    fy: {domain: rows.map((d) => d.name), axis: null, padding: 0.22},
    y: {domain: ["현물", "선물"], axis: null, padding: 0.12},
    marks: [
      ...sides(),
      Plot.text(rows, {fy: "name", text: (d) => (d.part ? `\u2002${d.name}` : d.name), frameAnchor: "left", dx: -marginLeft + 2, textAnchor: "start",
        fontWeight: 600}),
      Plot.text(bars, {fy: "name", y: "kind", text: "kind", frameAnchor: "left", dx: -8, textAnchor: "end", fill: soft, fontSize: 11.5}),
      Plot.barX(bars, {fy: "name", x: "net", y: "kind", fill: (d) => (d.net < 0 ? sold : bought), fillOpacity: (d) => (d.kind === "현물" ? 1 : 0.28),
        stroke: (d) => (d.net < 0 ? sold : bought), insetTop: 0.5, insetBottom: 0.5}),
      ...[true, false].map((buys) => Plot.text(bars.filter((d) => d.net != null && d.net >= 0 === buys), {
        fy: "name", x: "net", y: "kind", text: (d) => formatNet(d.net), textAnchor: buys ? "start" : "end", dx: buys ? 5 : -5, fill: (d) => colourOf(d.net)})),
      Plot.ruleX([0], {stroke: "#8c959f"})
    ]
  });
}

// Round the frame of what goes from left to right: amounts before it, names behind
const margins = {marginLeft: 58, marginRight: 66};
const amounts = (ticks) => [
  Plot.gridY({ticks}),
  Plot.axisY({ticks, tickSize: 0, label: null, tickFormat: (d) => format(d)})
];

// Labels at the ends of lines, moved apart where they would overlap
function apart(labels, height, low, high) {
  const pixel = (value) => ((high - value) / (high - low)) * height;
  const sorted = labels.map((d) => ({...d, y: pixel(d.value)})).sort((a, b) => a.y - b.y);
  for (let n = 1; n < sorted.length; n++) sorted[n].y = Math.max(sorted[n].y, sorted[n - 1].y + 33);
  const over = sorted.length ? sorted[sorted.length - 1].y - height : 0;
  if (over > 0) for (let n = sorted.length - 1, y = height; n >= 0; n--, y -= 33) sorted[n].y = Math.min(sorted[n].y, y);
  return sorted.map((d) => ({...d, at: high - (d.y / height) * (high - low)}));
}

// A line each for individuals, foreigners and institutions, each named at its end.
// Rows have x and the three
function investorLines(rows, width, x, axis) {
  const height = 300, marginTop = 12, marginBottom = 26;
  const codes = Object.keys(investors);
  const values = rows.flatMap((d) => codes.map((code) => d[code]));
  const spread = Math.max(1, Math.max(0, ...values) - Math.min(0, ...values));
  const [low, high] = [Math.min(0, ...values) - 0.13 * spread, Math.max(0, ...values) + 0.13 * spread];
  const end = rows[rows.length - 1];
  const labels = apart(codes.map((code) => ({code, value: end[code]})), height - marginTop - marginBottom, low, high);
  // Early in a session the lines' ends are on the left, where the sides else are named
  const [place, dx] = x.type === "utc" && end.x < (x.domain[0] + x.domain[1]) / 2 ? ["right", -6] : ["left", 6];
  const side = {dx, textAnchor: dx < 0 ? "end" : "start"};
  return Plot.plot({
    width, height, ...margins, marginTop, marginBottom, style, x,
    y: {domain: [low, high], axis: null},
    marks: [
      Plot.rect([0], {y1: 0, y2: high, fill: bought, fillOpacity: 0.05}),
      Plot.rect([0], {y1: low, y2: 0, fill: sold, fillOpacity: 0.05}),
      ...amounts(5),
      Plot.axisX({...axis, tickSize: 0, label: null}),
      Plot.ruleY([0], {stroke: "#8c959f"}),
      Plot.text(["▲ 순매수 Bought"], {...side, frameAnchor: `top-${place}`, dy: 8, fill: bought}),
      Plot.text(["▼ 순매도 Sold"], {...side, frameAnchor: `bottom-${place}`, dy: -8, fill: sold}),
      ...codes.map((code) => Plot.lineY(rows, {x: "x", y: code, stroke: lineColour[code], strokeWidth: 2.2})),
      Plot.dot(codes, {x: () => end.x, y: (code) => end[code], fill: (code) => lineColour[code], r: 3}),
      Plot.text(labels, {x: () => end.x, y: "at", dx: 9, textAnchor: "start", lineHeight: 1.15, fontWeight: 600,
        text: (d) => `${investors[d.code][0]}\n${formatNet(d.value)}`, fill: (d) => lineColour[d.code], stroke: "white", strokeWidth: 4})
    ]
  });
}

// The index, named with its level at its end. Rows have x and index
function indexLine(rows, width, x, axis) {
  const end = rows[rows.length - 1];
  const levels = rows.map((d) => d.index);
  const margin = 0.2 * (Math.max(...levels) - Math.min(...levels)) || 1;
  return Plot.plot({
    width, height: 150, ...margins, marginTop: 8, marginBottom: 26, style, x,
    y: {domain: [Math.min(...levels) - margin, Math.max(...levels) + margin], axis: null},
    marks: [
      ...amounts(4),
      Plot.axisX({...axis, tickSize: 0, label: null}),
      Plot.lineY(rows, {x: "x", y: "index", stroke: "#1f2328", strokeWidth: 1.8}),
      Plot.dot([end], {x: "x", y: "index", fill: "#1f2328", r: 3}),
      Plot.text([end], {x: "x", y: "index", dx: 9, dy: -5, textAnchor: "start", lineHeight: 1.15, fontWeight: 600, text: (d) => `지수\n${formatIndex(d.index)}`})
    ]
  });
}

// A day from the open on, to the close or, once it is over, to 20:00
function session(rows) {
  const times = rows.map((d) => d.at).sort();
  const [first, last] = [times[0], times[times.length - 1]];
  const day = first.slice(0, 10);
  const end = clock(last) > "15:45" ? "20:00" : "15:30";
  const hours = end === "20:00" ? ["09", "12", "15", "18"] : ["09", "11", "13", "15"];
  return {
    x: {type: "utc", domain: [
      Math.min(moment(first), moment(`${day}T09:00:00`)),
      Math.max(moment(last), moment(`${day}T${end}:00`))]},
    axis: {ticks: hours.map((hour) => moment(`${day}T${hour}:00:00`)), tickFormat: (d) => d.toISOString().slice(11, 16)}
  };
}

export function dayLines(rows, width) {
  const {x, axis} = session(rows);
  return investorLines(rows.map((d) => ({...d, x: moment(d.at)})), width, x, axis);
}

export function dayIndex(rows, width) {
  const {x, axis} = session(rows);
  return indexLine(rows.filter((d) => d.index != null).map((d) => ({...d, x: moment(d.at)})), width, x, axis);
}

const monthAndDay = (text) => `${+text.slice(5, 7)}/${+text.slice(8)}`;

function tradingDays(rows, width) {
  const every = Math.ceil(rows.length / Math.max(2, Math.floor((width - 124) / 48)));
  return {
    x: {type: "point", domain: rows.map((d) => d.trade_date), padding: 0.5},
    axis: {ticks: rows.map((d) => d.trade_date).filter((_, n) => (rows.length - 1 - n) % every === 0), tickFormat: monthAndDay}
  };
}

export function daysIndex(rows, width) {
  const {x, axis} = tradingDays(rows, width);
  return indexLine(rows.map((d) => ({x: d.trade_date, index: d.close})), width, x, axis);
}

// What each has bought since the first of the days
export function daysLines(rows, width) {
  const {x, axis} = tradingDays(rows, width);
  const sums = {individual: 0, foreign: 0, institution: 0};
  return investorLines(rows.map((d) => {
    for (const code of Object.keys(sums)) sums[code] += d[code];
    return {x: d.trade_date, ...sums};
  }), width, x, axis);
}

// A bar a day, investors below each other
export function daysBars(rows, width) {
  const {x, axis} = tradingDays(rows, width);
  const names = Object.values(investors).map(([name]) => name);
  const bars = Object.entries(investors).flatMap(([code, [name]]) => rows.map((d) => ({name, x: d.trade_date, net: d[code]})));
  return Plot.plot({
    width, height: 300, ...margins, marginTop: 8, marginBottom: 26, style,
    x: {...x, type: "band", padding: 0.25}, y: {axis: null},
    fy: {domain: names, axis: null, padding: 0.15},
    marks: [
      ...amounts(3),
      Plot.axisX({...axis, tickSize: 0, label: null, facetAnchor: "bottom"}),
      Plot.barY(bars, {fy: "name", x: "x", y: "net", fill: (d) => (d.net < 0 ? sold : bought)}),
      Plot.ruleY([0], {stroke: "#8c959f"}),
      Plot.text(names, {fy: (name) => name, text: (name) => name, frameAnchor: "right", dx: 9, textAnchor: "start", fontWeight: 600})
    ]
  });
}

const states = {ok: ["정상", "ok", "#8fbf9f"], skipped: ["건너뜀", "skipped", "#e3b341"], failed: ["실패", "failed", "#24292f"]};

// Ten minutes of each target: as bad as the worst of its looks
export function looks(bins, width) {
  const targets = [...new Set(bins.map((d) => d.target))].sort();
  const {x, axis} = session(bins);
  const boxes = bins.map((d) => ({...d, x: moment(d.at), state: d.failed ? "failed" : d.skipped ? "skipped" : "ok"}));
  return Plot.plot({
    width, height: 34 + targets.length * 26, marginLeft: 78, marginRight: 8, marginTop: 4, marginBottom: 26, style, x,
    y: {domain: targets, axis: null, padding: 0.2},
    marks: [
      Plot.axisX({...axis, tickSize: 0, label: null}),
      Plot.axisY({tickSize: 0, label: null, textAnchor: "start", dx: -70}),
      Plot.rectX(boxes, {x1: "x", x2: (d) => new Date(+d.x + 600000), y: "target", fill: (d) => states[d.state][2], inset: 0.5,
        title: (d) => `${d.target} ${clock(d.at)}: ${d.looks}회, 가장 느린 응답 ${d.took_ms ?? "–"} ms`})
    ]
  });
}

export const lookStates = Object.values(states);
