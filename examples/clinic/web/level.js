// The level of a stream, for a <meter>.

const floor = -60; // dB: the lower end of the scale
const silence = -55; // dB: a microphone that is switched off
const silenceTime = 15_000; // milliseconds until the page says that it hears nothing

let shared;

// audioContext is the one of the page: browsers do not like many.
export function audioContext() {
  shared ??= new AudioContext();
  shared.resume();
  return shared;
}

// watch shows the level until the returned function is called, and calls quiet(true) and quiet(false) as sound goes
// and comes.
export function watch(stream, meter, quiet) {
  const context = audioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 2048;
  const source = context.createMediaStreamSource(stream);
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let heard = performance.now();
  let isQuiet = false;
  const look = () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    const level = 10 * Math.log10(power + 1e-10);
    meter.value = Math.max(0, 1 - level / floor);
    if (level > silence) heard = performance.now();
    const now = performance.now() - heard > silenceTime;
    if (now !== isQuiet) quiet(isQuiet = now);
  };
  const timer = setInterval(look, 100);
  return () => {
    clearInterval(timer);
    meter.value = 0;
    source.disconnect();
    context.suspend();
  };
}
