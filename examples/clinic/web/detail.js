// One visit: its state, what to do about it, its note and its transcript.
import * as api from './api.js';
import { $, el } from './dom.js';
import * as local from './local.js';
import { describe, reasons } from './states.js';

let shown = ''; // what the body was made of

// show brings the body up to date with the visit.
export async function show(visit) {
  const [words, kind, text] = describe(visit);
  const now = JSON.stringify([visit.id, visit.state, visit.reason, visit.interrupted, words]);
  if (now === shown) return;
  shown = now;
  $('detail-title').textContent = `Visit ${visit.code}`;
  const parts = [el('p', {}, el('span', { className: 'chip', dataset: { kind } }, words))];
  if (text) parts.push(el('p', {}, text));
  if (visit.interrupted) parts.push(el('p', {}, 'The recording was interrupted. If the visit went on, the rest has a code of its own.'));
  if (visit.upload?.state === 'stuck') parts.push(el('p', {}, el('button', { type: 'button', onclick: () => save(visit.upload.recording) }, 'Save the audio as a file')));
  if (visit.state === 'failed') parts.push(el('p', {}, reasons[visit.reason] ?? `Reason: ${visit.reason}.`));
  if (visit.state === 'unknown') parts.push(choices(visit));
  if (visit.state === 'done') parts.push(...await result(visit.id));
  if (now === shown) $('detail-body').replaceChildren(...parts); // the doctor may have gone on to another visit
}

export function clear() {
  shown = '';
  $('detail-title').textContent = '';
  $('detail-body').replaceChildren();
}

async function result(id) {
  let answer;
  try {
    answer = await api.result(id);
  } catch {
    shown = ''; // the next change of anything tries again
    return [el('p', { className: 'problem' }, 'The note cannot be read at the moment.')];
  }
  const parts = [];
  if (answer.possibleDuplicate) parts.push(el('p', { className: 'problem' }, 'The transcription service may have this visit twice.'));
  if (answer.note) parts.push(el('h3', {}, 'Note'), note(content(answer.note)));
  if (answer.transcript) parts.push(el('h3', {}, 'Transcript'), transcript(answer.transcript));
  return parts;
}

// content is the note without the answer around it, where the answer has nothing else.
function content(answer) {
  const fields = Object.values(answer);
  return fields.length === 1 ? fields[0] : answer;
}

// note shows a note whose shape nobody has published: objects as lists of terms, lists as lists.
function note(value) {
  if (Array.isArray(value)) return el('ul', {}, ...value.map((item) => el('li', {}, note(item))));
  if (value === null || typeof value !== 'object') return el('span', {}, String(value ?? '–'));
  const rows = Object.entries(value).flatMap(([name, part]) => [el('dt', {}, title(name)), el('dd', {}, note(part))]);
  return el('dl', { className: 'note' }, ...rows);
}

function title(name) {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function transcript(text) {
  const box = el('div', { className: 'transcript', tabIndex: 0 });
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', 'Transcript');
  for (const line of text.split('\n').filter((line) => line.trim())) {
    const [, speaker, rest] = line.match(/^(\w+:)\s(.*)$/) ?? [null, '', line];
    box.append(el('p', {}, el('span', { className: 'speaker' }, speaker), speaker ? ' ' : '', rest));
  }
  return box;
}

// save gives the user what this device has of a recording: the last resort.
async function save(recording) {
  const link = el('a', { href: URL.createObjectURL(await local.whole(recording)), download: recording.code });
  link.click();
  URL.revokeObjectURL(link.href);
}

// choices is what a person can decide about a visit that the service may have.
function choices(visit) {
  const problem = el('p', { className: 'problem' });
  problem.setAttribute('role', 'alert');
  const decide = async (event, decision) => {
    event.preventDefault();
    try {
      await api.resolve(visit.id, decision);
      problem.textContent = '';
    } catch {
      problem.textContent = 'The decision could not be kept. Try again.';
    }
  };
  const number = el('input', { inputMode: 'numeric', pattern: '[1-9][0-9]{0,17}', required: true });
  const sent = visit.submitted ? ` It was sent at ${new Date(visit.submitted).toLocaleString()}.` : '';
  return el('div', { className: 'choices' },
    el('p', {}, `Ask the service's support whether it has the visit.${sent}`),
    el('form', { onsubmit: (event) => decide(event, { adopt: number.value }) },
      el('label', {}, 'It has it, under the number', number), el('button', { className: 'main' }, 'Use it')),
    el('form', { onsubmit: (event) => decide(event, { resubmit: true }) },
      el('p', {}, 'It does not have it.'), el('button', {}, 'Send it again')),
    el('form', { onsubmit: (event) => decide(event, { drop: true }) },
      el('p', {}, 'No note is needed.'), el('button', {}, 'Give it up')),
    problem);
}
