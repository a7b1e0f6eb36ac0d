// Questions and the list of keys, in the browser's own dialogs: Esc closes, focus comes back.
import { h, render } from './dom.js';
import { getToken, setToken } from './api.js';

function show(title, body, buttons, onSubmit) {
  const place = document.getElementById('dialogs');
  if (place.querySelector('dialog[open]')) {
    return;
  }
  const dialog = document.createElement('dialog');
  dialog.setAttribute('aria-labelledby', 'dialog-title');
  const before = document.activeElement;
  const submit = (event) => {
    event.preventDefault();
    const data = new FormData(event.target);
    dialog.close();
    onSubmit?.(data);
  };
  render(dialog, h('form', { onsubmit: submit }, h('h2', { id: 'dialog-title' }, title), body,
    h('div', { class: 'buttons' }, buttons(() => dialog.close()))));
  dialog.addEventListener('close', () => {
    dialog.remove();
    before?.focus?.();
  });
  place.append(dialog);
  dialog.showModal();
}

const cancel = (close, text = 'Keep it') => h('button', { type: 'button', onclick: close }, text);

export function confirmation(title, text, word, onYes) {
  show(title, h('p', null, text), (close) => [cancel(close), h('button', { type: 'submit', class: 'danger' }, word)], onYes);
}

export function askPriority(now, onValue) {
  show('Priority', h('label', { class: 'field' }, 'From 0 (batch) to 100 (high); 50 is usual',
    h('input', { type: 'number', name: 'priority', min: 0, max: 100, step: 1, required: true, value: String(now), autofocus: true })),
  (close) => [cancel(close, 'Cancel'), h('button', { type: 'submit', class: 'primary' }, 'Set')],
  (data) => onValue(Number(data.get('priority'))));
}

export function askReason(title, onValue) {
  show(title, h('label', { class: 'field' }, 'Why (shown to everybody)',
    h('input', { name: 'reason', maxlength: 239, required: true, autofocus: true, autocomplete: 'off' })),
  (close) => [cancel(close, 'Cancel'), h('button', { type: 'submit', class: 'danger' }, 'Quarantine')],
  (data) => onValue(data.get('reason')));
}

export function askToken(onDone) {
  show('Token', [h('p', null, 'This scheduler wants to know who asks. The token stays in this tab and goes to this scheduler alone.'),
    h('label', { class: 'field' }, 'Token', h('input', { type: 'password', name: 'token', autocomplete: 'off', autofocus: true, value: getToken() ?? '' }))],
  (close) => [cancel(close, 'Cancel'), h('button', { type: 'submit', class: 'primary' }, 'Use it')],
  (data) => {
    setToken(String(data.get('token')).trim());
    onDone();
  });
}

const KEYS = [
  ['g f', 'the farm'], ['g j', 'jobs'], ['g n', 'nodes'], ['g a', 'assets'], ['g w', 'webhooks'],
  ['n', 'a new job'], ['/', 'search'], ['j k', 'next and previous row'], ['Enter', 'open the row'], ['Esc', 'back, or leave a field'],
  ['t', 'light, dark or as the system'], ['?', 'this list'],
];

export function showKeys() {
  show('Keys', h('dl', { class: 'keys' }, KEYS.map(([keys, what]) => h('div', null,
    h('dt', null, keys.split(' ').map((k) => h('kbd', null, k))), h('dd', null, what)))),
  (close) => h('button', { type: 'button', class: 'primary', onclick: close, autofocus: true }, 'Close'));
}
