// Sends one recording from this device to the server, for as long as it takes.
import * as api from './api.js';
import * as local from './local.js';

const firstPause = 1_000; // milliseconds
const longestPause = 15_000;

// An Upload belongs to the tab that holds the recording's lock. Its state is one of 'sending', 'sent' (all that there
// is, so far), 'offline', 'disk-full', 'busy', 'sign-in', 'other-user', 'stuck' and 'done'.
export class Upload {
  #have = null; // the numbers that the server has; null before it has been asked
  #user;
  #hooks;
  #wake = () => {};
  #awake = false;
  state = 'sending';
  problem = '';

  // The hooks are changed(upload), and recheck(), which asks the server who is signed in.
  constructor(recording, user, hooks) {
    this.recording = recording;
    this.#user = user;
    this.#hooks = hooks;
  }

  get sent() { return this.#have?.size ?? 0; }

  // wake makes the upload look at once for a new slice, a network or a session.
  wake() {
    this.#awake = true;
    this.#wake();
  }

  // signedIn says who has signed in.
  signedIn(user) {
    this.#user = user;
    this.wake();
  }

  // run ends when the server has the whole recording on disk and this device has forgotten it.
  async run() {
    for (let pause = firstPause; ;) {
      this.#awake = false;
      const before = this.sent;
      try {
        if (await this.#pass()) return this.#become('done');
        pause = firstPause;
        await this.#sleep();
      } catch (error) {
        if (this.sent > before) pause = firstPause;
        this.#become(this.#stateOf(error), error.word);
        await this.#sleep(this.#waitsForPerson ? undefined : pause);
        pause = Math.min(2 * pause, longestPause);
      }
    }
  }

  get #waitsForPerson() { return ['sign-in', 'other-user', 'stuck'].includes(this.state); }

  #become(state, problem = '') {
    this.state = state;
    this.problem = problem;
    this.#hooks.changed(this);
  }

  #stateOf(error) {
    if (error instanceof OtherUser) return 'other-user';
    if (!(error instanceof api.Refused) || error.ofProxy) return 'offline';
    if (error.status === 401 || error.word === 'csrf') {
      this.#hooks.recheck(); // csrf: another tab has signed in again
      return error.status === 401 ? 'sign-in' : 'busy';
    }
    if (error.word === 'unknown' || error.word === 'gap') {
      this.#have = null; // ask again what the server has
      return error.answer.different ? 'stuck' : 'busy';
    }
    if (error.word === 'disk-full') return 'disk-full';
    return error.later ? 'busy' : 'stuck';
  }

  // pass sends everything that is there. It returns true once the recording is closed.
  async #pass() {
    const r = this.recording;
    if (this.#user !== r.owner) throw new OtherUser();
    if (r.slices > 0 && !this.#have) await this.#create();
    for (let n = 0; n < r.slices; n++) {
      if (this.#have.has(n)) continue;
      if (this.state !== 'sending') this.#become('sending');
      await api.putChunk(r.id, n, await local.slice(r.id, n));
      this.#have.add(n);
      local.sent(r.id, n);
      this.#hooks.changed(this);
    }
    if (!r.ended) {
      this.#become('sent');
      return false;
    }
    if (r.slices > 0) await api.closeRecording(r.id, await local.digests(r), r.interrupted);
    await local.remove(r.id);
    return true;
  }

  async #create() {
    const { code, have, closed } = await api.createRecording(this.recording);
    this.#have = new Set(closed ? Array(this.recording.slices).keys() : have);
    if (code === this.recording.code) return;
    this.recording.code = code;
    await local.update(this.recording);
    this.#hooks.changed(this);
  }

  // sleep waits until it is woken, or for a time.
  #sleep(time) {
    return new Promise((resolve) => {
      if (this.#awake) return resolve();
      const timer = time === undefined ? 0 : setTimeout(resolve, time);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

class OtherUser extends Error {}
