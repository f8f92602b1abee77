"""The colours and the style sheet that reports and figures share."""

from __future__ import annotations

INK = "#1c2430"
MUTED = "#5b6675"
RULE = "#d5dae1"

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours told apart with any colour vision: Okabe and Ito 2008, without the yellow that white paper swallows."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One marker beside each colour, so that no plot is read by colour alone."""

BLACK, WHITE = "#000000", "#ffffff"
TONES = {
    "blue": ("#0072b2", WHITE),
    "orange": ("#d55e00", BLACK),
    "yellow": ("#f0e442", BLACK),
    "pink": ("#cc79a7", BLACK),
    "grey": ("#b4b4b4", BLACK),
}
"""What a cell of a table may lie on, and its ink, from the same palette; grey says little."""

CSS = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ground: #f4f6f8; --ink: #1c2430; --muted: #5b6675; --rule: #d5dae1;
  --accent: #00598c; --note: #fdf4e3; --note-edge: #c98a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #1b2027; --ground: #12161b; --ink: #e6eaef; --muted: #a3adba; --rule: #39424e;
    --accent: #7cc4f2; --note: #33290f; --note-edge: #e0a63a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  -webkit-text-size-adjust: 100%;
}
main, footer { max-width: 60rem; margin: 0 auto; padding: 0 1.5rem; }
main { background: var(--paper); padding-top: 2.25rem; padding-bottom: 2.5rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0; font-weight: 650; letter-spacing: -0.01em; }
h2 {
  font-size: 1.2rem; line-height: 1.3; margin: 2.5rem 0 0.75rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); font-weight: 650;
}
.subtitle { color: var(--muted); font-size: 1.05rem; margin: 0.35rem 0 0; }
p { margin: 0.75rem 0; max-width: 44rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: 0.3rem 1.5rem; margin: 1.25rem 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.note { background: var(--note); border-left: 4px solid var(--note-edge); padding: 0.6rem 1rem; max-width: none; }
.scroll { overflow-x: auto; margin: 1.25rem 0; }
table {
  border-collapse: collapse; min-width: min(26rem, 100%);
  font-size: 0.93rem; font-variant-numeric: tabular-nums;
}
caption { caption-side: top; text-align: left; color: var(--muted); padding-bottom: 0.5rem; }
th, td { padding: 0.35rem 1.1rem 0.35rem 0; text-align: right; vertical-align: baseline; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
.words { text-align: left; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
td strong { color: var(--accent); font-weight: 700; }
tbody tr + tr > * { border-top: 1px solid var(--rule); }
.tone { display: inline-block; padding: 0 0.55em; border-radius: 0.7em; }
.unit { display: block; font-weight: 400; color: var(--muted); font-size: 0.88em; }
figure { margin: 1.5rem 0; break-inside: avoid; }
figure img {
  display: block; max-width: 100%; height: auto;
  background: #ffffff; border: 1px solid var(--rule); border-radius: 6px;
}
figcaption { color: var(--muted); font-size: 0.93rem; margin-top: 0.5rem; max-width: 44rem; }
footer { color: var(--muted); font-size: 0.85rem; padding-top: 1rem; padding-bottom: 2rem; }
@media (max-width: 36rem) {
  main, footer { padding-left: 1rem; padding-right: 1rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.6rem; }
}
@page { size: A4; margin: 16mm 15mm; }
@media print {
  :root {
    color-scheme: light;
    --paper: #ffffff; --ground: #ffffff; --ink: #000000; --muted: #444444; --rule: #bbbbbb;
    --note: #ffffff; --note-edge: #777777;
  }
  body { font-size: 10.5pt; }
  main, footer { max-width: none; padding-left: 0; padding-right: 0; }
  main { padding-top: 0; }
  h2 { break-after: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 8.5pt; }
  th, td { white-space: normal; padding-right: 0.7rem; }
  .tone { border: 1px solid var(--rule); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure img { max-height: 205mm; width: auto; border: 0; }
  tr, dl > * { break-inside: avoid; }
  thead { display: table-header-group; }
}
""" + "".join(f".tone.{name} {{ background: {back}; color: {ink}; }}\n" for name, (back, ink) in TONES.items())
