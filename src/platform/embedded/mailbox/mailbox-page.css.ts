/** The style sheet of the mailbox, a sister of the share pages'. */
export const MAILBOX_CSS = `
:root { color-scheme: light dark; --ink: #10201f; --soft: #5b6b69; --line: #dfe6e4; --paper: #ffffff; --ground: #f3f6f5;
  --brand: #0b6e66; --brand-soft: #e2f1ef; --busy: #8a6100; --busy-soft: #fbf1da; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8efed; --soft: #9db0ad; --line: #25403c; --paper: #10211f; --ground: #0a1716; --brand: #5cc9bd;
    --brand-soft: #12302c; --busy: #f0c465; --busy-soft: #33280d; }
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
main { width: min(48rem, 100%); margin: 0 auto; padding: clamp(1.25rem, 4vw, 2.5rem) clamp(1rem, 4vw, 2.5rem); display: grid; gap: 1rem;
  grid-template-columns: minmax(0, 1fr); flex: 1; align-content: start; }
.title { display: flex; align-items: baseline; justify-content: space-between; gap: 1rem; }
h1 { font-size: clamp(1.5rem, 1.1rem + 1.8vw, 2.1rem); line-height: 1.2; letter-spacing: -.02em; }
.count { color: var(--soft); font-size: .9rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
article, .empty { background: var(--paper); border: 1px solid var(--line); border-radius: 14px; }
article { padding: clamp(1.1rem, 3vw, 1.6rem); }
.top { display: flex; flex-wrap: wrap; align-items: baseline; justify-content: space-between; gap: .1rem 1rem; }
h2 { font-size: 1.1rem; line-height: 1.35; letter-spacing: -.01em; overflow-wrap: anywhere; min-width: 0; }
time { color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; white-space: nowrap; }
dl { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: .1rem .75rem; margin-top: .45rem; font-size: .9rem; }
dt { color: var(--soft); }
dd { overflow-wrap: anywhere; }
dd span { display: inline-block; max-width: 100%; }
.code { display: inline-block; margin-top: 1rem; padding: .45rem 1rem; border-radius: 10px; background: var(--brand-soft); color: var(--brand);
  font: 650 clamp(1.7rem, 1.3rem + 1.6vw, 2.3rem)/1.2 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; letter-spacing: .14em; text-indent: .14em; user-select: all; }
pre { margin-top: 1rem; padding-top: 1rem; border-top: 1px solid var(--line); font: inherit; font-size: .95rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.empty { padding: clamp(2.5rem, 8vw, 4rem) clamp(1.25rem, 5vw, 3rem); text-align: center; }
.empty svg { width: 3.5rem; height: 3.5rem; fill: none; stroke: var(--brand); stroke-width: 1.6; stroke-linecap: round; stroke-linejoin: round; }
.empty h2 { font-size: 1.25rem; margin-top: .8rem; }
.empty p { color: var(--soft); margin: .4rem auto 0; max-width: 30rem; text-wrap: balance; }
footer { padding: 1.5rem clamp(1rem, 4vw, 2.5rem) 2rem; color: var(--soft); font-size: .82rem; text-align: center; }
`;
