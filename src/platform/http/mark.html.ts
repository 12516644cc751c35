import { html } from './html.js';

/** The product's mark, in the colours of the page it stands on (`.mark`, `.bar`). */
export const mark = html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
  <path
    d="M5 11V7a2 2 0 0 1 2-2h4M21 5h4a2 2 0 0 1 2 2v4M27 21v4a2 2 0 0 1-2 2h-4M11 27H7a2 2 0 0 1-2-2v-4"
  />
  <path class="bar" d="M9 16h14M12 11.5h8M12 20.5h8" />
</svg>`;

/** The same as a picture of its own: the icon of a page. */
export const MARK_SVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" fill="none" stroke="#10201f" stroke-width="2.4" stroke-linecap="round"><rect width="32" height="32" rx="7" fill="#fff" stroke="none"/><path d="M5 11V7a2 2 0 0 1 2-2h4M21 5h4a2 2 0 0 1 2 2v4M27 21v4a2 2 0 0 1-2 2h-4M11 27H7a2 2 0 0 1-2-2v-4"/><path stroke="#0b6e66" d="M9 16h14M12 11.5h8M12 20.5h8"/></svg>`;
