// A plain script, so that it runs before the first paint: a module would let the other theme flash.
try {
  const theme = localStorage.getItem('visionquery.theme');
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch {
  // No store, no choice.
}
if (new URLSearchParams(location.search).get('q')) document.documentElement.classList.add('is-asked');
