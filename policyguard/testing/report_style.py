"""How a report looks: on a wide screen, a narrow one, a dark one, and on paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root {
  color-scheme: light dark;
  --ink: #1d2330; --soft: #566072; --line: #d5dae3; --back: #ffffff; --panel: #f5f7fa;
  --link: #0b57a4;
  --allow: #cfe8f7; --approve: #fbf3a6; --off: #dcdcdc; --deny: #f6c9b0; --none: #1d2330;
  --on: #1d2330; --hole: #882255;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7eaf0; --soft: #a9b2c3; --line: #3a4252; --back: #14181f; --panel: #1d232d;
    --link: #8ec5ff;
    --allow: #1d4c68; --approve: #5c5410; --off: #4a4a4a; --deny: #7a3413; --none: #e7eaf0;
    --on: #ffffff; --hole: #f0a6ca;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--back); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
main, header, footer { max-width: 72rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
.outcome { padding: .1rem .5rem; border-radius: .3rem; color: var(--on); }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--back); padding: .5rem 1rem; }
.soft, caption, .note { color: var(--soft); }
.note { font-size: .9rem; }
.alert { border-left: 4px solid #d55e00; padding: .5rem .9rem; background: var(--panel); }
code, .code { font-family: ui-monospace, "SF Mono", "Liberation Mono", Menlo, monospace; font-size: .86em; overflow-wrap: anywhere; }
.cards { list-style: none; padding: 0; margin: 1.5rem 0 0; display: grid; gap: .9rem; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
.cards li { border: 1px solid var(--line); border-left: 6px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; background: var(--panel); }
.cards a { font-weight: 600; text-decoration: none; }
.cards a:hover { text-decoration: underline; }
.cards .big { display: block; font-size: 1.25rem; font-weight: 600; margin: .15rem 0; }
.cards .good { border-left-color: #0072b2; }
.cards .bad { border-left-color: #d55e00; }
.cards .open { border-left-color: #c9a500; }
.side { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.wide { overflow-x: auto; background: linear-gradient(90deg, var(--back) 40%, transparent) 0 0 / 2.5rem 100% no-repeat local, linear-gradient(270deg, var(--back) 40%, transparent) 100% 0 / 2.5rem 100% no-repeat local, linear-gradient(90deg, var(--line), transparent) 0 0 / .8rem 100% no-repeat scroll, linear-gradient(270deg, var(--line), transparent) 100% 0 / .8rem 100% no-repeat scroll; margin: .75rem 0 1.25rem; }
table { border-collapse: collapse; min-width: 13.5rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .4rem; caption-side: top; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--line); min-width: 4rem; vertical-align: bottom; }
tbody th { font-weight: 600; white-space: nowrap; }
td.n, th.n { text-align: right; }
.grid th, .grid td { padding: .3rem .5rem; }
.grid td { border: 1px solid var(--back); color: var(--on); white-space: nowrap; font-size: .82rem; }
.grid tbody th { font-weight: 400; white-space: nowrap; position: sticky; left: 0; background: var(--back); }
.allow { background: var(--allow); } .require_approval { background: var(--approve); }
.unavailable { background: var(--off); } .deny { background: var(--deny); }
.hole { box-shadow: inset 0 0 0 2px var(--hole); }
.unanswered { background: var(--none); color: var(--back) !important; }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem 1.25rem; font-size: .92rem; }
.key span { display: inline-block; min-width: 1.6rem; text-align: center; border-radius: .2rem; padding: 0 .3rem; margin-right: .35rem; color: var(--on); }
.tag { display: inline-block; border: 1px solid currentColor; border-radius: .3rem; padding: 0 .4rem; font-size: .8rem; font-weight: 600; white-space: nowrap; }
.tag.hot { background: #b34700; border-color: #b34700; color: #fff; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
details { margin: .75rem 0; }
summary { cursor: pointer; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem; margin: .75rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 3rem; padding-bottom: 3rem; border-top: 2px solid var(--line); padding-top: 1rem; }
@media (max-width: 40rem) {
  body { font-size: 15px; }
  header { padding-top: 1.5rem; }
  h1 { font-size: 1.6rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  .grid tbody th { position: static; }
  .stack thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .stack :is(table, caption, tbody, tr, th, td) { display: block; }
  .stack tbody tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  .stack :is(tbody th, td, td.n) { border: 0; padding: .1rem 0; text-align: left; overflow-wrap: anywhere; white-space: normal; }
  .stack td::before { content: attr(data-head) "  "; color: var(--soft); }
  .stack td:empty { display: none; }
}
@media print {
  :root { color-scheme: light; --back: #fff; --ink: #000; --soft: #444; --line: #bbb; --panel: #fff; --on: #000;
    --link: #0b57a4; --none: #1d2330; --hole: #882255;
    --allow: #cfe8f7; --approve: #fbf3a6; --off: #dcdcdc; --deny: #f6c9b0; }
  body { font-size: 10pt; }
  main, header, footer { max-width: none; padding: 0; }
  .wide { overflow: visible; background: none; } .wide th, .wide td { overflow-wrap: anywhere; }
  .skip { display: none; }
  h2, h3, h4 { break-after: avoid; } tr, .cards li { break-inside: avoid; }
  table { font-size: 8.5pt; } .grid td, .grid th { padding: .15rem .25rem; font-size: 7pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
""".strip()
