import "./offline.js";

const pages = [
  {path: "/index", name: "지금", name_en: "Now"},
  {path: "/day", name: "장중", name_en: "Through the day"},
  {path: "/twenty-days", name: "20거래일", name_en: "Twenty days"},
  {path: "/sectors", name: "업종", name_en: "Sectors"},
  {path: "/futures", name: "선물과 현물", name_en: "Futures and cash"},
  {path: "/collector", name: "수집 상태", name_en: "Collector"}
];

const link = (page, current) =>
  `<a href=".${page.path}.html"${page.path === current ? ' aria-current="page"' : ""}>${page.name} <small>${page.name_en}</small></a>`;

export default {
  root: "src",
  output: "dist.new",
  title: "투자자별 매매동향",
  pages,
  style: "style.css",
  // Data loaders are queries
  interpreters: {".sql": ["env", "PGCLIENTENCODING=UTF8", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-f"]},
  // Any plain server of files serves them
  preserveIndex: true,
  preserveExtension: true,
  globalStylesheets: [],
  search: false,
  sidebar: false,
  toc: false,
  pager: false,
  head: '<meta name="color-scheme" content="light"><link rel="icon" href="data:,">',
  header: ({path}) => `<nav>${pages.map((page) => link(page, path)).join("")}</nav>`,
  footer:
    "출처: 한국투자증권 KIS Open API, 시장별 투자자매매동향(시세) FHPTJ04030000 · " +
    "Source: KIS Open API FHPTJ04030000. 억원 = 100 million won."
};
