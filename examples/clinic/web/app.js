// The page: who is signed in, what is being recorded, what is on its way, and what became of each visit.
import * as api from './api.js';
import * as detail from './detail.js';
import { $, el, notice, withdraw } from './dom.js';
import { Events } from './events.js';
import * as list from './list.js';
import { Outbox } from './outbox.js';
import { Recorder } from './recorder.js';

let session = null; // as the server describes it; null before anybody has signed in
let signedOut = false;
let visits = []; // as the server lists them
let selected = null;

const outbox = new Outbox({ changed: uploadChanged, recheck });
const recorder = new Recorder(outbox, render);
const events = new Events({
  visits: (all) => { visits = all; render(); },
  ended: recheck,
  connection: showConnection,
});

let retry;

// recheck asks the server who is signed in.
async function recheck() {
  clearTimeout(retry);
  try {
    enter(await api.session());
  } catch (error) {
    if (error.status === 401) leave();
    else retry = setTimeout(recheck, 3_000);
  }
}

function enter(now) {
  if (session && session.user !== now.user) forget();
  session = now;
  signedOut = false;
  $('user').textContent = now.user;
  $('sign-in').hidden = true;
  for (const id of ['who', 'recorder', 'visits']) $(id).hidden = false;
  withdraw('session');
  recorder.enter(now);
  outbox.signedIn(now.user);
  events.open();
  render();
}

// leave shows the way back in. What is being recorded goes on.
async function leave() {
  signedOut = true;
  events.close();
  forget();
  $('sign-in').hidden = false;
  $('who').hidden = true;
  $('visits').hidden = true;
  $('recorder').hidden = !recorder.active;
  showConnection('');
  render();
  if (recorder.active) {
    notice('session', 'bad', 'You are signed out. The recording goes on and is kept on this device. Sign in to send it.');
  } else if (await outbox.holdsAny()) {
    notice('session', 'warn', 'This device keeps a recording that is not at the clinic yet. Sign in to send it.');
  }
}

// forget takes everything about patients off the screen.
function forget() {
  visits = [];
  selected = null;
  list.clear();
  detail.clear();
  $('detail').hidden = true;
}

function render() {
  recorder.render();
  // A recording that the server refuses to know is not there for a user who has not signed in again.
  if (!session || signedOut) return;
  const all = merged();
  list.show(all, selected, select);
  const visit = all.find(({ id }) => id === selected);
  $('detail').hidden = !visit;
  if (visit) detail.show(visit);
}

// uploadChanged keeps a recording in the list that the server has just got, until the server lists it itself.
function uploadChanged(upload) {
  if (upload?.state === 'done' && upload.sent > 0 && session && !signedOut) {
    const { id, code, started, interrupted } = upload.recording;
    const known = visits.find((visit) => visit.id === id);
    if (known) Object.assign(known, { state: 'todo', interrupted });
    else visits.push({ id, code, started, interrupted, state: 'todo' });
  }
  render();
}

// merged are the visits of the server and those that are on this device alone, the newest first.
function merged() {
  const all = new Map(visits.map((visit) => [visit.id, visit]));
  for (const entry of outbox.entries(session.user)) {
    all.set(entry.id, { ...entry, ...all.get(entry.id), upload: entry.upload, elsewhere: entry.elsewhere });
  }
  return [...all.values()].sort((a, b) => b.started.localeCompare(a.started));
}

function select(id) {
  selected = id;
  render();
  $('detail-title').focus();
}

function showConnection(state) {
  $('connection').dataset.state = state;
  $('connection').textContent = { live: 'Connected', lost: 'Not connected' }[state] ?? '';
}

$('sign-in-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  $('sign-in-problem').textContent = '';
  try {
    enter(await api.signIn($('sign-in-user').value, $('sign-in-password').value));
    $('sign-in-password').value = '';
    $(recorder.active ? 'stop' : 'code').focus();
  } catch (error) {
    $('sign-in-problem').textContent = {
      403: 'The user or the password is wrong.', 429: 'Too many tries. Wait a moment.',
    }[error.status] ?? 'The clinic cannot be reached.';
  }
});

$('sign-out').addEventListener('click', async () => {
  if (recorder.active) return notice('sign-out', 'warn', 'Stop the recording before you sign out.');
  try {
    await api.signOut();
  } catch (error) {
    if (error.status !== 401) return notice('sign-out', 'bad', 'The clinic cannot be reached. You are still signed in.');
  }
  leave();
  $('sign-in-user').focus();
});

$('close-detail').addEventListener('click', () => {
  const item = document.querySelector(`[data-id="${CSS.escape(selected)}"] button`);
  selected = null;
  render();
  item?.focus();
});

addEventListener('beforeunload', (event) => {
  if (recorder.active || outbox.waiting) event.preventDefault();
});
addEventListener('online', () => outbox.wake());
document.addEventListener('visibilitychange', () => {
  if (document.hidden || !session || signedOut) return events.close();
  events.open();
  outbox.wake();
});

if (!navigator.mediaDevices || !navigator.locks || !window.MediaRecorder) {
  notice('browser', 'bad', 'This browser cannot record here. Use a current browser, and open this page by https or on localhost.');
} else {
  recheck();
}
