//! Bounds that hold everywhere, each named with its unit.

/// Largest payload of one event.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Deepest nesting of arrays and objects in a payload.
pub const PAYLOAD_DEPTH_MAX: usize = 64;
/// Largest body of a batch of events.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most events in one batch.
pub const BATCH_EVENTS_MAX: usize = 1000;
/// Largest WebAssembly component.
pub const COMPONENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Longest event type name.
pub const EVENT_TYPE_BYTES_MAX: usize = 200;
/// Longest name of anything that a user names.
pub const NAME_BYTES_MAX: usize = 200;
/// Longest id or idempotency key that a client chooses.
pub const CLIENT_KEY_BYTES_MAX: usize = 256;
/// Longest URL.
pub const URL_BYTES_MAX: usize = 2048;
/// Longest condition.
pub const CONDITION_BYTES_MAX: usize = 4096;
/// Most transforms in one automation.
pub const TRANSFORMS_MAX: usize = 16;
/// Most actions in one automation.
pub const ACTIONS_MAX: usize = 32;
/// Most event type patterns in one trigger.
pub const PATTERNS_MAX: usize = 100;
/// Most outputs of one plugin run, and of one chain of transforms.
pub const OUTPUTS_MAX: usize = 16;
/// Largest configuration of one transform.
pub const PLUGIN_CONFIG_BYTES_MAX: usize = 64 * 1024;
/// Most deliveries that one evaluation may make: actions times outputs.
pub const DELIVERIES_PER_EVALUATION_MAX: usize = 256;
/// Most deliveries that all automations make of one event. Twice as many as an account has endpoints, each
/// of which may subscribe to everything.
pub const DELIVERIES_PER_EVENT_MAX: usize = 2 * ENDPOINTS_PER_ACCOUNT_MAX;
/// Most bytes of all outputs of one event's automations, with their headers: 64 of the largest payloads.
pub const BODY_BYTES_PER_EVENT_MAX: usize = 16 * 1024 * 1024;
/// Most bytes of JSON of one event's evaluations that have steps. Beyond them details are left out, then
/// steps; never a verdict.
pub const TRACE_BYTES_PER_EVENT_MAX: usize = 1024 * 1024;
/// Most bytes of variables that are kept of one event's evaluations, about.
pub const VARIABLE_BYTES_PER_EVENT_MAX: usize = 64 * 1024;
/// Longest sentence that is kept of an evaluation or one of its steps.
pub const SUMMARY_BYTES_MAX: usize = 1024;
/// Most secrets that sign for one endpoint at a time.
pub const SECRETS_PER_ENDPOINT_MAX: usize = 8;
/// Most key pairs of one kind that an endpoint has.
pub const KEY_PAIRS_PER_KIND_MAX: usize = 2;
/// Most custom delays in a retry policy.
pub const RETRY_DELAYS_MAX: usize = 50;
/// Most statuses that a retry policy calls final.
pub const FINAL_STATUSES_MAX: usize = 50;
/// Most items of one page.
pub const PAGE_ITEMS_MAX: usize = 250;
/// Items of a page when none is asked for.
pub const PAGE_ITEMS_DEFAULT: usize = 50;
/// Most rows that are looked at for one page of a list that is asked for one value only.
pub const SCANNED_ROWS_MAX: usize = 10_000;
/// Most event types of one account, and of the installation.
pub const EVENT_TYPES_PER_ACCOUNT_MAX: usize = 5_000;
/// Most example payloads of one event type, beside the first.
pub const EXAMPLES_PER_EVENT_TYPE_MAX: usize = 20;
/// Most event types of one import.
pub const IMPORTED_EVENT_TYPES_MAX: usize = 1_000;
/// Most endpoints of one account.
pub const ENDPOINTS_PER_ACCOUNT_MAX: usize = 10_000;
/// Most policies and profiles of an account's own.
pub const NAMED_RULES_PER_ACCOUNT_MAX: usize = 500;
/// Most automations of one account, endpoints' own subscriptions left out.
pub const AUTOMATIONS_PER_ACCOUNT_MAX: usize = 1_000;
/// Most schedules of one account.
pub const SCHEDULES_PER_ACCOUNT_MAX: usize = 1_000;
/// Most sources of one account.
pub const SOURCES_PER_ACCOUNT_MAX: usize = 1_000;
/// Most receivers of one account.
pub const RECEIVERS_PER_ACCOUNT_MAX: usize = 50;
/// Most requests that are kept of one receiver.
pub const RECEIVED_MAX: usize = 500;
/// Most bytes of the bodies that are kept of one receiver, the newest one left out.
pub const RECEIVED_BYTES_MAX: i64 = 16 * 1024 * 1024;
/// For how long requests to a receiver are kept: 7 days.
pub const RECEIVED_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1000;
/// Most secrets that prove one source's sender at a time.
pub const SECRETS_PER_SOURCE_MAX: usize = 8;
/// Most refusals that are kept of one source.
pub const REFUSALS_PER_SOURCE_MAX: usize = 100;
/// Most bytes of a CloudEvent's attributes, as JSON.
pub const CLOUDEVENT_BYTES_MAX: usize = 16 * 1024;
/// Most occurrences of one preview.
pub const PREVIEW_OCCURRENCES_MAX: usize = 1_000;
/// Most events that one job goes through.
pub const JOB_EVENTS_MAX: usize = 1_000_000;
/// Most events that are chosen one by one.
pub const CHOSEN_EVENTS_MAX: usize = 1_000;
/// Most deliveries that a recovery sends a second.
pub const RECOVERED_PER_SECOND_MAX: u32 = 1_000;
/// Most patterns of event types that a recovery names.
pub const RECOVERED_PATTERNS_MAX: usize = 100;
/// Most jobs of one account that are not at their end.
pub const JOBS_OPEN_MAX: usize = 10;
/// Jobs of one account that are kept after their end.
pub const JOBS_KEPT: usize = 20;
/// Most tests that are kept with an automation.
pub const TESTS_MAX: usize = 50;
/// Most bytes of all tests of an automation.
pub const TESTS_BYTES_MAX: usize = 128 * 1024;
/// Longest key of flow control.
pub const FLOW_KEY_BYTES_MAX: usize = 512;
/// Most keys that flow control remembers of one account, about.
pub const FLOW_KEYS_PER_ACCOUNT_MAX: usize = 100_000;
/// Most outputs that wait for their time in one account, about; a digest is one.
pub const FLOW_WAITS_PER_ACCOUNT_MAX: usize = 100_000;
/// Longest wait for a time, and longest window: 30 days.
pub const FLOW_WAIT_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1000;
/// Most events of one window of a rate limit.
pub const RATE_EVENTS_MAX: i64 = 1_000_000;
/// Most events of one digest.
pub const DIGEST_EVENTS_MAX: i64 = 1_000;
/// Most bytes of the events of one digest: a plugin can read as much. A single event may have more.
pub const DIGEST_BYTES_MAX: i64 = PAYLOAD_BYTES_MAX as i64;
/// Most automations between an event and the one that came in from outside.
pub const HOPS_MAX: usize = 8;
/// Most events that descend from one event: those that automations make of it, and of those, and so on.
pub const DESCENDANTS_MAX: u32 = 1_024;
/// After how many errors one after the other it is told that an automation fails, if it does not say.
pub const ALERT_AFTER_DEFAULT: u32 = 5;
/// Most errors that an automation may have before it is told.
pub const ALERT_AFTER_MAX: u32 = 1_000;
/// How long an endpoint fails before that is told.
pub const FAILING_ALERT_MS: i64 = 60_000;
/// Most dead letters that one call runs again.
pub const LETTERS_RERUN_MAX: usize = 1_000;
/// Most variables of one account.
pub const VARIABLES_PER_ACCOUNT_MAX: usize = 1_000;
/// Longest name of a variable.
pub const VARIABLE_NAME_BYTES_MAX: usize = 64;
/// Longest value of a variable.
pub const VARIABLE_BYTES_MAX: usize = 8 * 1024;
/// Shortest value of a secret variable: a shorter one could not be told from other text where it is hidden.
pub const SECRET_VARIABLE_BYTES_MIN: usize = 8;
/// Largest file that has an account's automations as code, and what they need.
pub const CODE_BYTES_MAX: usize = 1024 * 1024;
/// Longest mail address.
pub const MAIL_ADDRESS_BYTES_MAX: usize = 254;
/// Most addresses that one endpoint names for its alerts.
pub const NOTIFIED_PER_ENDPOINT_MAX: usize = 10;
/// Most mails of one account that are not sent yet: beyond that none is made.
pub const MAILS_OPEN_PER_ACCOUNT_MAX: usize = 500;
/// Mails of one account that are kept once they are sent, bounced or given up.
pub const MAILS_KEPT_PER_ACCOUNT_MAX: usize = 1_000;
/// Most headers of an endpoint's own.
pub const HEADERS_PER_ENDPOINT_MAX: usize = 20;
/// Longest value of a header of an endpoint's own.
pub const HEADER_VALUE_BYTES_MAX: usize = 4 * 1024;
/// For how many days payloads are kept, where neither the account nor the operator says.
pub const PAYLOAD_DAYS_DEFAULT: i64 = 30;
/// For how many days what became of events is kept, where neither the account nor the operator says.
pub const LOG_DAYS_DEFAULT: i64 = 90;
/// Most days for which anything is kept: ten years.
pub const RETENTION_DAYS_MAX: i64 = 3_650;
/// Most certificates of authorities that an account trusts beside the machine's.
pub const AUTHORITIES_MAX: usize = 50;
/// Most certificates of the chain of a client certificate.
pub const CHAIN_CERTIFICATES_MAX: usize = 10;
/// Most bytes of certificates that are given at once.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
