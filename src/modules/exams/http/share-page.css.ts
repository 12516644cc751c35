/** The style sheet of the share pages; served from our own origin, so that the CSP needs no inline style. */
export const SHARE_CSS = `
:root { color-scheme: light dark; --ink: #10201f; --soft: #5b6b69; --line: #dfe6e4; --paper: #ffffff; --ground: #f3f6f5;
  --brand: #0b6e66; --brand-soft: #e2f1ef; --bad: #a8321f; --bad-soft: #fbeae6; --busy: #8a6100; --busy-soft: #fbf1da; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8efed; --soft: #9db0ad; --line: #25403c; --paper: #10211f; --ground: #0a1716; --brand: #5cc9bd;
    --brand-soft: #12302c; --bad: #ff9d8a; --bad-soft: #361a14; --busy: #f0c465; --busy-soft: #33280d; }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 ui-sans-serif, system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  min-height: 100vh; display: flex; flex-direction: column; -webkit-text-size-adjust: 100%; }
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; padding: .9rem clamp(1rem, 4vw, 2.5rem);
  background: var(--paper); border-bottom: 1px solid var(--line); }
.brand { display: inline-flex; align-items: center; gap: .6rem; font-weight: 650; letter-spacing: -.01em; font-size: 1.1rem; }
.mark { width: 1.75rem; height: 1.75rem; fill: none; stroke: var(--ink); stroke-width: 2.4; stroke-linecap: round; }
.mark .bar { stroke: var(--brand); }
.notice { color: var(--busy); background: var(--busy-soft); border-radius: 999px; padding: .2rem .75rem; font-size: .8rem; font-weight: 600; white-space: nowrap; }
main { width: min(60rem, 100%); margin: 0 auto; padding: clamp(1.25rem, 4vw, 3rem) clamp(1rem, 4vw, 2.5rem); display: grid; gap: 1rem; flex: 1; align-content: start; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; }
.head { padding: clamp(1.25rem, 3vw, 2rem); }
.narrow { width: min(30rem, 100%); margin: 6vh auto 0; }
.eyebrow { text-transform: uppercase; letter-spacing: .09em; font-size: .75rem; font-weight: 650; color: var(--brand); }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.8vw, 2.1rem); line-height: 1.2; letter-spacing: -.02em; margin: .3rem 0 .2rem; overflow-wrap: anywhere; }
.patient { font-size: 1.1rem; color: var(--soft); overflow-wrap: anywhere; }
.lead { color: var(--soft); margin-top: .4rem; }
dl { display: flex; flex-wrap: wrap; gap: .9rem 2.5rem; margin-top: 1.4rem; }
dt { font-size: .78rem; color: var(--soft); }
dd { font-weight: 550; font-variant-numeric: tabular-nums; }
.summary { display: grid; grid-template-columns: 1fr auto; align-items: center; gap: .6rem 1rem; padding: 1rem clamp(1.25rem, 3vw, 2rem); }
.summary p { display: flex; align-items: center; gap: .6rem; }
.summary progress { grid-column: 1 / -1; grid-row: 2; }
.count { color: var(--soft); font-variant-numeric: tabular-nums; font-size: .9rem; white-space: nowrap; }
.dot { flex: none; width: .65rem; height: .65rem; border-radius: 50%; background: var(--busy); }
.dot.registered { background: var(--brand); } .dot.failed, .dot.partially_registered { background: var(--bad); }
progress { appearance: none; width: 100%; height: .4rem; border: 0; border-radius: 999px; overflow: hidden; background: var(--line); }
progress::-webkit-progress-bar { background: var(--line); } progress::-webkit-progress-value { background: var(--brand); }
progress::-moz-progress-bar { background: var(--brand); }
.files { overflow: hidden; }
ul { list-style: none; padding: 0; }
li { display: grid; grid-template-columns: minmax(0, 1fr) 9.5rem 5.5rem 6.5rem; align-items: center; gap: .2rem 1rem; min-height: 3.1rem;
  padding: .45rem clamp(1.25rem, 3vw, 2rem); border-top: 1px solid var(--line); }
li:first-child { border-top: 0; }
.name { overflow-wrap: anywhere; font-weight: 500; }
.state { justify-self: start; font-size: .82rem; font-weight: 600; border-radius: 999px; padding: .1rem .65rem; color: var(--busy); background: var(--busy-soft); }
.registered .state { color: var(--brand); background: var(--brand-soft); }
.rejected .state, .expired .state { color: var(--bad); background: var(--bad-soft); }
.size { justify-self: end; color: var(--soft); font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
.download, button { justify-self: end; font: inherit; font-size: .88rem; font-weight: 600; color: var(--brand); text-decoration: none;
  border: 1px solid var(--line); border-radius: 8px; padding: .3rem .8rem; background: none; }
.download:hover, .pager a:hover { background: var(--brand-soft); }
a:focus-visible, button:focus-visible, input:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
.reason { grid-column: 1 / -1; color: var(--bad); font-size: .88rem; padding-bottom: .3rem; }
code { font: .8rem ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; color: var(--soft); margin-left: .35rem; }
.pager { display: grid; grid-template-columns: 1fr auto 1fr; align-items: center; padding: .8rem clamp(1.25rem, 3vw, 2rem); border-top: 1px solid var(--line); font-size: .9rem; }
.pager a { color: var(--brand); font-weight: 600; text-decoration: none; border-radius: 8px; padding: .3rem .6rem; justify-self: start; }
.pager :last-child { justify-self: end; }
form { display: grid; gap: .5rem; margin-top: 1.4rem; }
label { font-size: .85rem; font-weight: 600; }
input { font: inherit; padding: .6rem .8rem; border: 1px solid var(--line); border-radius: 8px; background: var(--ground); color: var(--ink); }
form button { justify-self: stretch; margin-top: .6rem; padding: .65rem; background: var(--brand); border-color: var(--brand); color: var(--paper); cursor: pointer; }
.wrong { color: var(--bad); font-size: .9rem; }
footer { padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 2rem; color: var(--soft); font-size: .82rem; text-align: center; }
@media (max-width: 640px) {
  li { grid-template-columns: minmax(0, 1fr) auto; padding-block: .7rem; }
  .name { grid-column: 1; } .size { grid-column: 2; grid-row: 1; }
  .state { grid-row: 2; } .download { grid-row: 2; grid-column: 2; }
  .notice { font-size: .72rem; }
}
@media print { header, footer, .download, .pager { display: none; } body { background: none; } section { border: 0; } }
`;
