package redact

import "strings"

// vocabulary is the English of API errors. A message needs these words to be
// understood, and they say nothing about a person. A word is here if it stands in the
// API's documentation, in the messages of the frameworks and gateways that answer for
// it, or in the names of its fields and states.
//
// Words that are also names, months or findings when written small are left out on
// purpose, however useful. Among them are may, mark, grant, will, rose, page, young,
// long, sex, born, and every symptom, drug and body part. Of words all in capitals, in
// which records are often kept, only those pass that stand here so.
var vocabulary = func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		words[word] = true
	}
	return words
}()

const text = `
a an and any are as at be because been before being below beyond both but by can
cannot could did do does doing done during each either else every for from had
has have having here how if in into is it its itself least less many might more
most must neither no none nor not nothing now of off on once one only or other
our out over own per same several shall should since so some such than that the
their them then there these they this those through to too two under until up
upon us was we were what when where whether which while who whole whose why with
within without would yes yet you your

zero first second third last next previous current new old another again already
also always never still just almost about above after against ahead along among
around between down near instead otherwise therefore however please sorry thank
help try tried retry retried retries trying retrying wait waiting later soon

abort aborted accept acceptable accepted accepts access accessible account
accounts action active actual add added additional address administrator
affected allow allowed allows alone anonymous answer answered api app
application apply appropriate approved argument arguments array assertion
associated async asynchronous attempt attempts attribute audience audio auth
authenticate authenticated authentication authorization authorize authorized
automatically available awaiting backend backoff bad balance balancer bandwidth
base based basic batch bearer begin belong belongs binary bit bits blank block
blocked body bool boolean bound boundary broken bucket budget buffer busy byte
bytes cache call called caller calls cancel canceled cancelled capacity
certificate change changed char character characters charset check checked
checksum choose chunk chunked cipher claim claims class client close closed
cloud cluster code codec collection column comma command common complete
completed component compressed concurrent condition conflict conflicts connect
connected connecting connection connections constraint contact contain contained
container contains content context continue control conversion convert converted
cookie correct corrupt corrupted count crash create created creation credential
credentials csrf currently data database date datetime deactivated
deadline deadlock decimal decode decoded decoding default deferred defined delay
delayed delete deleted denied deny dependency deprecated descriptor destination
detail details detected device dial dict dictionary different digit digits
directory disabled disallowed disconnect disconnected discriminator disk dns
document domain double download due duplicate duplicated duplicates duration dynamic
empty enable enabled enclosed encode encoded encoding encountered encryption end
ended endpoint ends enough ensure entity entries entry enum enumeration
environment eof equal error errors event exact exactly exceed exceeded exceeds
except exception exclusive execute executed execution exhausted exist existing
exists expect expectation expected expecting expiration expire expired expires
expiry extension external extra extract fail failed failing fails failure false
fatal fault feature fetch field fields file filename files filter final find
finish finished firewall flac float flow follow following forbidden forgery form
format formats forward forwarded found fractional frame full function gateway
gave gb general generate generated generating generation generic get give given
global goaway gone good got grants greater group guard h2 handle handled handler
handling handshake hash header headers health healthy high higher host hour
hours html http http2 https id idempotency identical identifier identifiers
identity idle ids ignored illegal immediately implementation implemented
implicit import improper inactive include included includes incoming
incompatible incomplete inconsistent incorrect index individual info information
initial inner input inputs insecure insert inside installed instance instances
insufficient int integer integers integrity intended interface intermediate
internal interpret interrupted interval invalid invalidated io ip isn issue
issued issuer issues item items iteration job jobs json jwt kb keep kept key
keyerror keys kind known language large larger latency latest layer lease length
level library like likely limit limited limits line link list literal live load
loaded loading local location lock locked log logged login logs longer look
lookup loop lost low lower lstat m4a machine made maintenance make malformed
manage manager mapping match matched matches matching maximum mb mean media
member memory message messages metadata method methods migration mime min
minimum minute minutes misconfiguration mismatch missing mode model modified
module moved mp3 mp4 mpeg mpga multipart multiple name named names namespace
need needed needs nested net network nginx node non nonce nonetype note notes
null number numbers numeric object objects obtain occurred occurs offline offset
ogg ok omitted online open opened operation operational operator option optional
options order origin outage output outside overflow overloaded owner ownership
parameter parameters params parent parse parsed parser parsing part partial
parts password passwords path pattern payload peer pending perform performed
permanent permission permissions permit permitted persistent pipe
pipeline plain platform policy pool port position possible post precondition
prefix preflight prematurely present prevent problem process processed
processing processor produce production profile progress property protected
protocol provide provided provider proxy proxyconnect public purpose put query
queue queued quota quote quotes random range rate rates raw reach reached read
reader reading ready reason receive received receiving recent recognised
recognized record recording recordings records recover redirect redirected
reference refresh refused regenerate regenerated regex region register
registered reject rejected related release remain remaining remote remove
removed repeat repeated replace reply report request requested requester
requests require required requires reset resets resolution resource resources
respond responded response responses rest restart restarted restrict restricted
result results resume return returned returning returns reused revoked rfc right
role root route routes row rule run running runtime safe satisfied scheduled
schema scheme scope scopes scribe scribes script sealed seconds secret section secure
security see segment select send sending sent separate separator sequence
serializable serialize serialized server servers service services session
sessions set setting settings setup shared short shutdown shutting side
signature signed simultaneous single size sizes slow small socket software
something sort source space specific specified specify speech sql ssl 
stale stalled standard start started starting starts stat state statement states
static status step stop stopped storage store stored str stream strict string
strings structure stt submission submissions submit submitted subscription
succeeded success successful successfully suffix support supported suspended
switch sync syntax system table tag take taken target task tasks tcp team
template templates temporarily temporary tenant terminated termination test tests text
throttle throttled throttling time timed timeout timeouts times timestamp
timezone timing tls token tokens took total traceback transaction transcribe
transcribed transcript transcription transcriptions transcripts transfer
transient transition transmission transport true trusted type typeerror types
unable unacceptable unauthenticated unauthorised unauthorized unavailable
undefined unexpected unhandled unhealthy unicode unique unit unknown unless
unprocessable unreachable unreadable unrecognised unrecognized unreliable
unresolved unset unsupported untrusted unusable update updated upgrade upload
uploaded uploading uploads upper upstream upstreams uri url usage use used user
username users uses using usually utc utf uuid valid validate validated
validating validation value valueerror values variable vault verification verified
verify version versions via violates violation visible visit volume warning wasn
wav web webhook webm well window worker workers workflow workflows working write
writing written wrong xml year years zone

additional_context audio_file audio_files created_at date_of_service
detected_file doesn error_message expires_in grant_type in_progress
id_token patient_name raw_text scribe_id scribe_ids stt_completed stt_error
stt_incomplete stt_processing submitted_at task_status template_id template_ids
access_token token_type transcription_id transcription_ids updated_at
workflow_id wouldn couldn shouldn hasn aren t s re ve ll type_error
value_error json_invalid json_type int_parsing int_type string_type
datetime_parsing greater_than less_than i/o charset=utf-8 max_length min_length
don't won't haven't

ABORTED API CANCELLED COMPLETED CSRF DELETE DELETED DENIED DNS EOF ERROR EXPIRED
FAILED FALSE FATAL FLAC FORBIDDEN FORMAT FOUND GET GOAWAY HTML HTTP HTTPS ID IDS
INACTIVE INTERNAL INVALID IP JSON JWT LIMIT METHOD MIME MISSING NOT NULL OK
OPTIONS PENDING PROCESSING PUT QUEUED RATE READY RECEIVED REFUSED REJECTED
REQUEST REQUIRED RFC RUNNING SERVER SERVICE SSL STARTED STT SUBMITTED TCP
TIMEOUT TLS TOKEN TRUE UNAUTHENTICATED UNAUTHORIZED UNAVAILABLE UNKNOWN UPLOADED
URI URL UTC UUID VALID WARNING WAV WEBM XML
`
