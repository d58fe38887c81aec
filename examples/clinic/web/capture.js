// The recording in progress: a MediaRecorder whose slices are kept on the device as they come.
import { wholeBlocks } from './blocks.js';
import { audioContext } from './level.js';
import * as local from './local.js';

const sliceTime = 5_000; // milliseconds
const bitsPerSecond = 48_000; // speech is clear at this rate, and three hours take 65 MB

// The containers that the API takes, of which each browser makes at least one.
const types = ['audio/webm;codecs=opus', 'audio/mp4;codecs=mp4a.40.2', 'audio/mp4', 'audio/webm'];

// A Capture tells its owner of each kept slice by changed(), and once of its end by ended(why).
export class Capture {
  #recorder;
  #recording;
  #limits;
  #kept = Promise.resolve(); // the slices are kept one after the other
  #held = new Blob(); // the beginning of a block that the next slice completes
  #running = 0; // milliseconds recorded before the last pause
  #since = 0;
  unsafe = false; // a slice is in this tab's memory alone
  lost = false; // the browser could not read a slice that it had made

  constructor(stream, limits) {
    this.stream = stream;
    this.#limits = limits;
    this.#recorder = new MediaRecorder(stream, {
      mimeType: types.find((type) => MediaRecorder.isTypeSupported(type)),
      audioBitsPerSecond: bitsPerSecond,
    });
  }

  get type() { return this.#recorder.mimeType; }
  get state() { return this.#recorder.state; }
  get elapsed() { return this.#running + (this.state === 'recording' ? performance.now() - this.#since : 0); }

  // start records into a row that is in the local store.
  start(recording, { changed, ended }) {
    this.#recording = recording;
    this.#recorder.ondataavailable = ({ data }) => {
      this.#kept = this.#kept.then(() => this.#keep(data)).catch(() => { this.lost = true; }).then(changed);
    };
    this.#recorder.onstop = async () => {
      await this.#kept;
      await this.#add(await this.#held.arrayBuffer());
      hidden.abort();
      this.stream.getTracks().forEach((track) => track.stop());
      ended(this.why ?? 'microphone');
    };
    this.#recorder.onstart = () => { this.#since = performance.now(); };
    // A phone may end a hidden page at any moment.
    const hidden = new AbortController();
    document.addEventListener('visibilitychange', () => this.flush(), { signal: hidden.signal });
    this.#recorder.start(sliceTime);
  }

  pause() {
    this.flush();
    this.#running = this.elapsed;
    this.#recorder.pause();
  }

  resume() {
    this.#since = performance.now();
    this.#recorder.resume();
  }

  // flush keeps what has been recorded so far, without waiting for the end of a slice.
  flush() {
    if (this.state === 'recording') this.#recorder.requestData();
  }

  stop(why) {
    this.why ??= why;
    this.#running = this.elapsed;
    if (this.state !== 'inactive') this.#recorder.stop();
  }

  async #keep(blob) {
    const bytes = await new Blob([this.#held, blob]).arrayBuffer();
    const whole = wholeBlocks(bytes, this.type);
    this.#held = new Blob([bytes.slice(whole)]);
    await this.#add(bytes.slice(0, whole));
  }

  async #add(bytes) {
    for (let at = 0; at < bytes.byteLength; at += this.#limits.maxChunk) {
      const piece = bytes.slice(at, at + this.#limits.maxChunk);
      this.unsafe ||= !(await local.addSlice(this.#recording, piece));
    }
    // The last slices before the limit are left for what the recorder still holds.
    if (this.#recording.slices >= this.#limits.maxChunks - 8) this.stop('limit');
  }
}

// microphones lists the inputs. Their names are known once the user has allowed one.
export async function microphones() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.filter((device) => device.kind === 'audioinput');
}

export function microphone(deviceId) {
  const audio = { echoCancellation: false, noiseSuppression: true, autoGainControl: true, channelCount: 1 };
  if (deviceId) audio.deviceId = { exact: deviceId };
  return navigator.mediaDevices.getUserMedia({ audio });
}

// synthetic plays a recording into a stream, as if it came from a microphone. At its end the stream has the event
// 'over'.
export async function synthetic(mp3) {
  const context = audioContext();
  const source = context.createBufferSource();
  source.buffer = await context.decodeAudioData(mp3);
  const output = context.createMediaStreamDestination();
  source.connect(output);
  source.onended = () => output.stream.dispatchEvent(new Event('over'));
  source.start();
  return output.stream;
}
