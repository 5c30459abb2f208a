import { describe, expect, it } from 'vitest';
import { rowsOf, svgOf } from '../support/recording.ts';

describe('svgOf', () => {
  const frames = ['$ \u001b[36mls\u001b[39m <a>', '\u001b[1;32mok\u001b[0m   far'].map(screen => ({
    screen,
    seconds: 1,
  }));
  const svg = svgOf(frames, { columns: 10, rows: 2 }, 'A & B');

  it('draws each part of a line at its column, with its colour', () => {
    expect(svg).toContain('<tspan x="14" textLength="8.4">$</tspan>');
    expect(svg).toContain('<tspan x="30.8" textLength="16.8" class="cyan">ls</tspan>');
    expect(svg).toContain('<tspan x="56" textLength="25.2">&#60;a&#62;</tspan>');
    expect(svg).toContain('class="bold green">ok</tspan>');
    expect(svg).toContain('<tspan x="56" textLength="25.2">far</tspan>');
  });

  it('shows each screen for its time, and the last one where nothing is to move', () => {
    expect(svg).toContain('@keyframes f0{0%{visibility:visible}50%{visibility:hidden}}');
    expect(svg).toContain('@keyframes f1{0%{visibility:hidden}50%{visibility:visible}}');
    expect(svg).toContain(
      '.frame:last-of-type{visibility:visible}\n@media(prefers-reduced-motion:no-preference)',
    );
  });

  it('needs nothing from elsewhere', () => {
    expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(/https?:|url\(|<script|<image/);
  });

  it('refuses what it would draw wrong', () => {
    expect(() => rowsOf('\u001b[7mreverse')).toThrow("A terminal's code 7 has no look");
  });
});
