// Keys of the whole page. Rows that can be walked have data-row; Enter opens the link that they hold.

const GO_MS = 1500;
let first = null; // of two keys
let firstAt = 0;

const isField = (e) => e.closest?.('input, textarea, select, [contenteditable]');

function rows() {
  return [...document.querySelectorAll('main [data-row]')].filter((row) => row.offsetParent !== null);
}

function walk(step) {
  const list = rows();
  if (list.length === 0) {
    return;
  }
  const now = list.findIndex((row) => row.contains(document.activeElement));
  const row = list[now < 0 ? (step > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, now + step))];
  (row.querySelector('a[href]') ?? row).focus();
  row.scrollIntoView({ block: 'nearest' });
}

// actions: { go(letter), search(), create(), help(), back(), theme() }
export function listen(actions) {
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) {
      return;
    }
    if (event.key === 'Escape') {
      if (isField(document.activeElement)) {
        document.activeElement.blur();
      } else {
        actions.back();
      }
      return;
    }
    if (isField(event.target)) {
      return;
    }
    const isSecond = first === 'g' && Date.now() - firstAt < GO_MS;
    first = null;
    if (isSecond && actions.go(event.key)) {
      event.preventDefault();
      return;
    }
    switch (event.key) {
      case 'g':
        first = 'g';
        firstAt = Date.now();
        break;
      case '/':
        actions.search();
        event.preventDefault();
        break;
      case '?':
        actions.help();
        event.preventDefault();
        break;
      case 'n':
        actions.create();
        event.preventDefault();
        break;
      case 't':
        actions.theme();
        break;
      case 'j':
        walk(1);
        break;
      case 'k':
        walk(-1);
        break;
      default:
    }
  });
}
