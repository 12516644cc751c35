import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Html, html } from './html.js';

describe('a template', () => {
  it('escapes every value, in text and in attributes', () => {
    const value = `<a href="x" onclick='y'>&amp;</a>`;
    expect(html`<p title="${value}">${value}</p>`.markup).toBe(
      '<p title="&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;">' +
        '&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;</p>',
    );
  });

  it('leaves markup of its own as it is, in lists as well', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`);
    expect(html`${items}`.markup).toBe('<li>a</li><li>&lt;b&gt;</li>');
  });

  it('escapes strings in lists, and objects that only look like markup', () => {
    expect(html`${['<', ['>']]}`.markup).toBe('&lt;&gt;');
    expect(html`${{ markup: '<script>' }}`.markup).toBe('[object Object]');
    expect(html`${{ toString: () => '<script>' }}`.markup).toBe('&lt;script&gt;');
    expect(html`${JSON.parse('{"markup":"<b>"}')}`.markup).not.toContain('<b>');
  });

  it('says nothing for what is absent, and zero for zero', () => {
    expect(html`[${undefined}${null}${false}${0}${''}]`.markup).toBe('[0]');
  });

  it('never lets a value become markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const { markup } = html`<a b="${value}">${value}</a>`;
        const inner = markup.slice('<a b="'.length, -'</a>'.length);
        expect(inner.replace('">', '')).not.toMatch(/[<>"']/);
        const decoded = new Map([
          ['&amp;', '&'],
          ['&lt;', '<'],
          ['&gt;', '>'],
          ['&quot;', '"'],
          ['&#39;', "'"],
        ]);
        expect(
          inner.slice(0, inner.indexOf('">')).replace(/&[#\w]+;/g, (entity) => decoded.get(entity)!),
        ).toBe(value);
      }),
    );
  });

  it('is the only way to make markup', () => {
    expect(html`${new Html('<i>')}`.markup).toBe('<i>');
  });
});
