// What all pages share: elements, numbers, titles and tables.

const markets = {KSP: ["코스피", "KOSPI"], KSQ: ["코스닥", "KOSDAQ"]};
export const investors = {individual: ["개인", "Individuals"], foreign: ["외국인", "Foreigners"], institution: ["기관계", "Institutions"]};

// element("td", {class: "text"}, "a", element("small", {}, "b"))
export function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const minus = (text) => text.replace("-", "−");
const whole = new Intl.NumberFormat("ko-KR", {maximumFractionDigits: 0, signDisplay: "negative"});
const signed = new Intl.NumberFormat("ko-KR", {maximumFractionDigits: 0, signDisplay: "exceptZero"});
const exact = new Intl.NumberFormat("ko-KR", {minimumFractionDigits: 2, maximumFractionDigits: 2});

// 억원: 1,234; and of what was bought net: +1,234
export const format = (eok) => minus(whole.format(eok));
export const formatNet = (eok) => (eok == null ? "–" : minus(signed.format(eok)));
export const formatIndex = (level) => exact.format(level);
export const colourOf = (eok) => (eok < 0 ? "var(--sold)" : "var(--bought)");
export const sideOf = (eok) => (Math.round(eok) < 0 ? "sold" : Math.round(eok) > 0 ? "bought" : "");

// Seoul's time as it is written, whatever the reader's zone: charts take it for UTC
export const moment = (text) => new Date(`${text}Z`);
export const clock = (text) => text.slice(11, 16);

function day(text) {
  const weekday = new Date(text).getUTCDay();
  return `${text} (${"일월화수목금토"[weekday]})`;
}

// The page's title in Korean and English, with the trading day of its figures and
// when they were collected
export function title({korean, english, trade_date, collected_at, simulated}) {
  const late = collected_at.slice(0, 10) === trade_date ? "" : `${collected_at.slice(0, 10)} `;
  const at = late + clock(collected_at);
  return element("header", {class: "title"},
    element("h1", {}, korean, ...(simulated ? [element("span", {class: "simulated"}, "가상 데이터 · SIMULATED")] : [])),
    element("p", {}, english),
    element("p", {class: "moment"}, `거래일 ${day(trade_date)} · ${at} 수집`,
      " ", element("small", {}, `Trading day ${trade_date}, collected ${at} KST`)));
}

// A part of a page below a heading
export function section(korean, english, note, ...children) {
  return element("section", {}, element("h2", {}, korean, " ", element("small", {}, english)), ...(note ? [element("p", {}, note)] : []), ...children);
}

// Nodes for a page with rows; where the store has none yet, that it has none
export const page = (rows, draw) => (rows.length ? draw() : [element("p", {}, "아직 수집한 데이터가 없습니다. Nothing has been collected yet.")]);

// The markets that rows are of, with theirs: [[Korean, English], rows]
export const byMarket = (rows) =>
  Object.entries(markets).map(([code, names]) => [names, rows.filter((d) => d.market === code)]).filter(([, own]) => own.length);

export const columns = (...children) => element("div", {class: "columns"}, ...children);

// Large figures, each of a name, a figure, its unit and a class
export const cards = (rows) => element("div", {class: "figures"}, ...rows.map(([name, figure, unit, kind = ""]) =>
  element("div", {}, element("span", {}, name), element("b", {class: kind}, figure, element("small", {}, ` ${unit}`)))));

// The three that make the market
export const figures = (row) =>
  cards(Object.entries(investors).map(([code, [name]]) => [name, formatNet(row[code]), "억원", sideOf(row[code])]));

// heads: Korean, English, class; rows of cells
export function table(heads, rows) {
  return element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map(([korean, english, kind = ""]) =>
      element("th", {class: kind}, korean, " ", element("small", {}, english))))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells))));
}
