// The list of visits: those that the server knows and those that only this device has, as one.
import { $, el, say } from './dom.js';
import { describe } from './states.js';

const items = new Map(); // list items by id
const spoken = new Map(); // the state of each visit that was last spoken

// show brings the list up to date. It changes what has changed and leaves the focus where it is.
export function show(visits, selected, select) {
  $('no-visits').hidden = visits.length > 0;
  const ids = new Set(visits.map((visit) => visit.id));
  for (const [id, item] of items) if (!ids.has(id)) { item.remove(); items.delete(id); }
  visits.forEach((visit, i) => {
    const item = items.get(visit.id) ?? make(visit, select);
    fill(item, visit, visit.id === selected);
    const there = $('list').children[i];
    if (there !== item) $('list').insertBefore(item, there ?? null);
  });
}

export function clear() {
  $('list').replaceChildren();
  items.clear();
  spoken.clear();
}

function make(visit, select) {
  const button = el('button', { type: 'button', onclick: () => select(visit.id) },
    el('span', { className: 'code' }), el('span', { className: 'when' }), el('span', { className: 'chip' }));
  const item = el('li', { dataset: { id: visit.id } }, button);
  items.set(visit.id, item);
  return item;
}

function fill(item, visit, current) {
  const [words, kind] = describe(visit);
  const [code, when, chip] = item.firstChild.children;
  item.dataset.state = visit.upload?.state ?? visit.state;
  item.firstChild.setAttribute('aria-current', current);
  setText(code, visit.code);
  setText(when, time(visit.started) + (visit.interrupted ? ' · interrupted' : ''));
  setText(chip, words);
  chip.dataset.kind = kind;
  speak(visit, words);
}

// speak announces the ends that a doctor waits for.
function speak(visit, words) {
  const before = spoken.get(visit.id);
  spoken.set(visit.id, visit.state);
  if (before && before !== visit.state && ['done', 'unknown', 'failed'].includes(visit.state)) say(`Visit ${visit.code}: ${words}`);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function time(iso) {
  return new Date(iso).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
