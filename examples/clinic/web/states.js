// What the states of a visit are called, and what they ask of the doctor.

const ofServer = {
  recording: ['Open', 'warn', 'This visit is still being recorded, or its recording was interrupted. Open this page in the browser that recorded it: what that browser still has is sent by itself.'],
  todo: ['Waiting', 'info', 'The clinic has the whole recording. It will be sent to the transcription service.'],
  sent: ['Being sent', 'info', 'The recording is on its way to the transcription service.'],
  waiting: ['In progress', 'info', 'The transcription service is at work.'],
  done: ['Note ready', 'good', ''],
  unknown: ['Needs you', 'warn', 'The connection was lost at the moment of sending, so the transcription service may have this visit or may not. It is not sent again by itself: the patient would then have two notes.'],
  failed: ['Failed', 'bad', 'There will be no note of this visit by itself. The recording is safe at the clinic.'],
};

const stages = { transcript: 'Being transcribed', note: 'Note being written', deliver: 'Note arriving' };

const ofUpload = {
  offline: ['Waiting for the network', 'warn', 'The clinic cannot be reached. The recording is kept on this device and sent when the network is back.'],
  'disk-full': ['Server is full', 'bad', 'The disk of the clinic\'s server is full. The recording is kept on this device and sent when there is room. Call the people who run the server.'],
  busy: ['Trying again', 'warn', 'The server did not take the last part. It is sent again in a moment.'],
  'sign-in': ['Sign in to send', 'warn', 'You are signed out. The recording is kept on this device and sent after you sign in.'],
  'other-user': ['Of another user', 'warn', 'This recording belongs to another user and is sent when that user signs in on this device.'],
  stuck: ['Cannot be sent', 'bad', 'The server refuses this recording. It is kept on this device. Save it as a file, do not clear the browser\'s data, and call the people who run the server.'],
};

// describe returns the words, the kind and the explanation of a visit's state.
export function describe(visit) {
  const { upload } = visit;
  if (visit.elsewhere) return ['In another tab', 'info', 'This recording is in the hands of another tab of this browser.'];
  if (upload && ofUpload[upload.state]) return ofUpload[upload.state];
  if (upload && !upload.recording.ended) return ['Recording', 'bad', 'This visit is being recorded.'];
  if (upload) return [`Sending ${upload.sent} of ${upload.recording.slices}`, 'info', 'The recording is on its way to the clinic. Leave this page open.'];
  const [words, kind, text] = ofServer[visit.state] ?? [visit.state, 'info', ''];
  return [visit.state === 'waiting' ? stages[visit.stage] ?? words : words, kind, text];
}

// reasons explains why a visit failed, by the words that the server uses.
export const reasons = {
  'source-missing': 'The recording is no longer on the clinic\'s server.',
  'job-failed': 'The transcription service could not make anything of the recording.',
  'job-gone': 'The transcription service no longer knows the visit.',
  dropped: 'You decided to give it up.',
};
