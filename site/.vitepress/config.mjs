import { defineConfig } from 'vitepress';
import { layOut, sidebar } from '../pages.mjs';

layOut();

export default defineConfig({
  title: 'generator-gitlab-runner-docker',
  description: 'Writes a complete repository that runs a self-hosted GitLab Runner in a container',
  srcDir: 'pages',
  outDir: 'dist',
  // Where it is served from: SITE_BASE=/NAME/ npm run site, for pages of a project.
  base: process.env.SITE_BASE ?? '/',
  head: [
    ['link', { rel: 'icon', href: 'data:,' }],
    // Its text would be too small on a phone: there it scrolls.
    [
      'style',
      {},
      'p:has(> img[src*="recording"]) { overflow-x: auto } img[src*="recording"] { min-width: 620px }',
    ],
  ],
  // The themes by default are too pale for comments.
  markdown: { theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' } },
  themeConfig: {
    siteTitle: 'gitlab-runner-docker',
    search: { provider: 'local' },
    sidebar: sidebar(),
    outline: [2, 3],
    nav: [
      { text: 'Options', link: '/docs/options' },
      { text: 'Examples', link: '/examples/' },
    ],
  },
});
