// The recordings on this device, on their way to the server. A recording belongs to the tab that holds its lock: the
// tab that records it, or after that tab's end the next one that gets the lock.
import { notice } from './dom.js';
import * as local from './local.js';
import { Upload } from './upload.js';

const lookEvery = 10_000; // milliseconds: how often this tab looks for recordings of other tabs

export class Outbox {
  #uploads = new Map(); // of this tab, by id
  #elsewhere = new Map(); // rows that other tabs hold, by id
  #user = null;
  #hooks;

  // The hooks are changed() and recheck(), which asks the server who is signed in.
  constructor(hooks) {
    this.#hooks = hooks;
    setInterval(() => this.#look(), lookEvery);
  }

  // waiting is true while this tab has something that the server does not have.
  get waiting() { return this.#uploads.size > 0; }

  // holdsAny reports whether there is a recording on this device, of whatever user.
  async holdsAny() { return (await local.recordings()).length > 0; }

  get(id) { return this.#uploads.get(id); }

  // entries are the recordings of a user on this device.
  entries(user) {
    const mine = [...this.#uploads.values()].map((upload) => ({ ...upload.recording, upload }));
    const others = [...this.#elsewhere.values()].map((row) => ({ ...row, elsewhere: true }));
    return [...mine, ...others].filter(({ owner }) => owner === user);
  }

  signedIn(user) {
    this.#user = user;
    for (const upload of this.#uploads.values()) upload.signedIn(user);
    this.#look();
  }

  wake() {
    for (const upload of this.#uploads.values()) upload.wake();
    this.#look();
  }

  // begin adds a recording and sends it while record() makes it. It resolves when the server has it whole.
  begin(row, record) {
    return navigator.locks.request(local.lockName(row.id), async () => {
      await local.add(row);
      row.slices = 0;
      record();
      await this.#send(row);
    });
  }

  // keepEnd keeps that a recording of this tab has ended. If the device has no room for it, the upload still knows.
  async keepEnd(row) {
    await local.update(row).catch(() => {});
    this.get(row.id)?.wake();
  }

  async #send(row) {
    const upload = new Upload(row, this.#user, this.#hooks);
    this.#uploads.set(row.id, upload);
    try {
      await upload.run();
    } finally {
      this.#uploads.delete(row.id);
      this.#hooks.changed();
    }
  }

  // look queues for each recording that another tab holds, and gets those at once that nobody holds.
  async #look() {
    if (!this.#user) return;
    for (const row of await local.recordings()) {
      if (row.owner !== this.#user || this.#uploads.has(row.id) || this.#elsewhere.has(row.id)) continue;
      this.#elsewhere.set(row.id, row);
      navigator.locks.request(local.lockName(row.id), () => this.#takeOver(row.id));
    }
    this.#hooks.changed();
  }

  // takeOver sends what is left of a recording whose tab has ended. A recording that was going on is over: what comes
  // now would be another file.
  async #takeOver(id) {
    this.#elsewhere.delete(id);
    const row = await local.recording(id);
    if (!row) return this.#hooks.changed(); // the other tab has sent all of it
    if (!row.ended) {
      row.ended = new Date().toISOString();
      row.interrupted = true;
      await local.update(row);
    }
    if (row.interrupted) {
      notice('interrupted', 'warn', row.slices > 0
        ? `The recording of visit ${row.code} was interrupted. What was recorded until then is sent as this visit. If the visit goes on, record the rest as a second visit.`
        : `The recording of visit ${row.code} was interrupted before anything was recorded.`);
    }
    await this.#send(row);
  }
}
