/** Dark or light: as the system says until somebody chooses. `early.js` applies it before paint. */

import { byId, setIcon } from './dom.js';

const KEY = 'visionquery.theme';

/** Let the button switch between dark and light. */
export function attachTheme() {
  const button = byId('theme-toggle', HTMLButtonElement);
  const system = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';
  const draw = () => {
    const label = isDark() ? 'Switch to light' : 'Switch to dark';
    setIcon(button, isDark() ? 'sun' : 'moon');
    button.setAttribute('aria-label', label);
    button.title = label;
  };
  button.addEventListener('click', () => {
    const theme = isDark() ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // Without a store the choice lasts as long as the page.
    }
    draw();
  });
  system.addEventListener('change', draw);
  draw();
}
