// The form that records a visit.
import * as api from './api.js';
import { Capture, microphone, microphones, synthetic } from './capture.js';
import { $, el, notice, say, withdraw } from './dom.js';
import { watch } from './level.js';

const sampleOption = 'synthetic'; // the value of the option that plays the synthetic visit

export class Recorder {
  #outbox;
  #changed;
  #session;
  #capture = null;
  #row = null; // the recording in progress
  #unwatch = () => {};
  #wakeLock = null;

  constructor(outbox, changed) {
    this.#outbox = outbox;
    this.#changed = changed;
    $('code').value = newCode();
    $('new-code').addEventListener('click', () => { $('code').value = newCode(); });
    $('code').addEventListener('input', () => $('code').setCustomValidity(''));
    $('recorder-form').addEventListener('submit', (event) => { event.preventDefault(); this.#start(); });
    $('pause').addEventListener('click', () => this.#togglePause());
    $('stop').addEventListener('click', () => this.#capture?.stop('stop'));
    document.addEventListener('visibilitychange', () => this.#keepAwake());
    setInterval(() => this.#showTime(), 250);
  }

  get active() { return this.#capture !== null; }

  // enter prepares the form for a session.
  async enter(session) {
    this.#session = session;
    if (session.sample && !document.querySelector(`#microphone option[value=${sampleOption}]`)) {
      $('microphone').append(el('option', { value: sampleOption }, 'A synthetic visit, played from a file'));
    }
    await this.#listMicrophones();
  }

  async #listMicrophones() {
    const select = $('microphone');
    for (const { deviceId, label } of await microphones()) {
      const known = [...select.options].some((option) => option.value === deviceId);
      if (label && deviceId !== 'default' && !known) select.append(el('option', { value: deviceId }, label));
    }
  }

  async #start() {
    const code = $('code').value.trim().toUpperCase();
    if (!validCode(code)) {
      $('code').setCustomValidity('4 to 32 letters, digits and hyphens, with at least two digits. Never a name.');
      $('code').reportValidity();
      return;
    }
    $('record').disabled = true;
    try {
      await this.#begin(code, await this.#stream());
    } catch (error) {
      notice('recorder', 'bad', problem(error));
    } finally {
      $('record').disabled = false;
    }
  }

  async #stream() {
    if ($('microphone').value !== sampleOption) return microphone($('microphone').value);
    return synthetic(await api.sample());
  }

  async #begin(code, stream) {
    const capture = new Capture(stream, this.#session);
    stream.addEventListener('over', () => capture.stop('stop'));
    const row = {
      id: crypto.randomUUID(), owner: this.#session.user, code, type: capture.type,
      started: new Date().toISOString(), ended: null, interrupted: false,
    };
    navigator.storage?.persist?.(); // where the browser asks the user, recording does not wait for the answer
    await new Promise((resolve, reject) => {
      this.#outbox.begin(row, () => {
        this.#capture = capture;
        this.#row = row;
        capture.start(row, { changed: () => this.#sliceKept(), ended: (why) => this.#ended(why) });
        resolve();
      }).catch(reject);
    });
    this.#unwatch = watch(stream, $('level'), (quiet) => this.#quiet(quiet));
    this.#listMicrophones();
    this.#keepAwake();
    withdraw('recorder');
    withdraw('interrupted');
    say(`Recording visit ${row.code}`);
    this.#changed();
    $('stop').focus();
  }

  #sliceKept() {
    if (this.#capture?.unsafe) {
      notice('unsafe', 'bad', 'This device has no room left. The last part of the recording is in this tab alone until it is sent: do not close the tab.');
    }
    if (this.#capture?.lost) notice('lost', 'bad', 'The browser lost some seconds of the recording.');
    this.#outbox.get(this.#row.id)?.wake();
    this.#changed();
  }

  #ended(why) {
    const row = this.#row;
    const atButtons = ['pause', 'stop'].includes(document.activeElement?.id);
    row.ended = new Date().toISOString();
    row.interrupted = why !== 'stop';
    this.#outbox.keepEnd(row);
    this.#capture = this.#row = null;
    this.#unwatch();
    this.#wakeLock?.release();
    this.#wakeLock = null;
    withdraw('quiet');
    if (why === 'microphone') notice('recorder', 'bad', `The microphone went away, and the recording of visit ${row.code} ended. What was recorded is sent. If the visit goes on, record the rest as a second visit.`);
    if (why === 'limit') notice('recorder', 'bad', `Visit ${row.code} has reached the longest length and is sent. If it goes on, record the rest as a second visit.`);
    if (row.slices === 0) notice('recorder', 'warn', `Nothing was recorded of visit ${row.code}.`);
    say(`The recording of visit ${row.code} has ended`);
    $('code').value = newCode();
    this.#changed();
    if (atButtons) $('record').focus();
  }

  #togglePause() {
    if (this.#capture.state === 'paused') this.#capture.resume();
    else this.#capture.pause();
    say(this.#capture.state === 'paused' ? 'Paused' : 'Recording');
    this.render();
  }

  #quiet(quiet) {
    if (quiet && this.#capture?.state === 'recording') notice('quiet', 'warn', 'The microphone hears nothing. Is it switched on?');
    else withdraw('quiet');
  }

  // keepAwake keeps the screen of a phone on, since a phone that locks ends the recording. A browser takes the lock
  // away when the page is hidden.
  async #keepAwake() {
    if (!this.#capture || document.hidden) return;
    try {
      this.#wakeLock = await navigator.wakeLock?.request('screen');
    } catch {
      // The battery may be low. The recording goes on.
    }
  }

  render() {
    const state = this.#capture?.state ?? 'idle';
    const upload = this.#row && this.#outbox.get(this.#row.id);
    const [kept, sent] = [this.#row?.slices ?? 0, upload?.sent ?? 0];
    Object.assign($('progress').dataset, { state, kept, sent, upload: upload?.state ?? '' });
    const doing = { recording: 'Recording', paused: 'Paused' }[state];
    $('progress-text').textContent = doing
      ? `${doing}. Kept on this device: ${parts(kept)}. At the clinic: ${parts(sent)}.` : 'Not recording.';
    $('recorder-title').textContent = doing ? 'This visit' : 'New visit';
    document.title = doing ? `● ${doing} – Visits` : 'Visits';
    for (const id of ['code', 'new-code', 'microphone']) $(id).disabled = this.active;
    if (this.#row && $('code').value !== this.#row.code) $('code').value = this.#row.code;
    $('record').hidden = this.active;
    for (const id of ['pause', 'stop']) $(id).hidden = !this.active;
    $('pause').textContent = state === 'paused' ? 'Go on' : 'Pause';
    this.#showTime();
  }

  #showTime() {
    const seconds = Math.floor((this.#capture?.elapsed ?? 0) / 1000);
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const two = (n) => String(n).padStart(2, '0');
    const text = h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
    if ($('timer').textContent !== text) $('timer').textContent = text;
  }
}

const parts = (n) => (n === 1 ? '1 part' : `${n} parts`);

// newCode makes a code that says nothing. Its letters and digits cannot be mistaken for each other.
function newCode() {
  const pick = (letters, n) => Array.from(crypto.getRandomValues(new Uint8Array(n)), (byte) => letters[byte % letters.length]).join('');
  return `${pick('ABCDEFGHJKMNPQRSTVWXYZ', 3)}-${pick('23456789', 3)}-${pick('23456789', 3)}`;
}

// validCode is the server's rule.
function validCode(code) {
  return /^[A-Z0-9][A-Z0-9-]{2,30}[A-Z0-9]$/.test(code) && /[0-9].*[0-9]/.test(code);
}

function problem(error) {
  return {
    NotAllowedError: 'The browser may not use the microphone. Allow it in the browser\'s settings for this page.',
    NotFoundError: 'There is no microphone.',
    NotReadableError: 'The microphone is in use by another program.',
    OverconstrainedError: 'This microphone is not there any more. Choose another one.',
    QuotaExceededError: 'This device has no room left for a recording.',
  }[error.name] ?? 'This browser cannot keep a recording. Leave private browsing, or use another browser.';
}
