/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of the service, each with the reason for its number. What comes from outside has a bound here. */
#ifndef BOUNDS_H
#define BOUNDS_H

/* --- requests --------------------------------------------------------------------------------------------------- */

/* Contract section 3. A `terraform show -json` document of a large workspace template is a few hundred KiB. */
#define BODY_BYTES_MAX (1024 * 1024)

/* Request line and headers together. The longest honest header is a bearer token of some KiB; CivetWeb keeps one
 * buffer of this size per worker, so it is also what a thousand idle workers may cost. */
#define HEAD_BYTES_MAX 16384

/* CivetWeb drops headers beyond its 64th silently, also Content-Length and Authorization: the 64th is refused. */
#define HEADERS_MAX 63

/* A client has this long for its request line and headers, and as long again for a body, however slowly it drips. */
#define REQUEST_READ_MS 10000

/* An idle kept-alive connection owns a worker, so it may not idle long. */
#define KEEP_ALIVE_IDLE_MS 5000

/* Everything one request may hold in its arena: a body, its parsed strings, the links of an owner or a page of
 * PAGE_BYTES_MAX and one row more come to well under half of it; reaching the bound is a bug and ends the process like
 * a failed assertion. */
#define REQUEST_ARENA_BYTES_MAX (32 * 1024 * 1024)

#define REQUEST_ID_BYTES_MAX 128

/* Headers that handlers read. An owner is a user name or a UUID, a version a UUID, a transition a word: no honest value
 * is longer, and one that is is refused before anybody is looked up. */
#define SUBJECT_HEADER_BYTES_MAX 64

/* A URL that is held against the providers' REGEX: matching takes time with its length, and no host with the path of a
 * repository is longer. */
#define GIT_URL_BYTES_MAX 2048

/* What clients put there are UUIDs and hashes; 255 is what the best known APIs with such a header take. */
#define IDEMPOTENCY_KEY_BYTES_MAX 255

/* An answer is given again for a day: a client that has not learnt its outcome by then looks for itself. */
#define IDEMPOTENCY_KEEP_MS 86400000

/* Who was refused may connect an account and ask again with the key for so long. It is short, because anybody may be
 * refused at any rate, each time with another key. */
#define IDEMPOTENCY_REFUSAL_KEEP_MS 900000

/* A run may hold its key so much longer than the gate may take: for the statements around it, each with its wait for a
 * connection, and for a second run of the gate. After that the process is taken for dead. */
#define IDEMPOTENCY_HOLD_MARGIN_MS 60000

/* A token's caller is remembered this long; another replica notices a deleted token or a suspended user so late. */
#define IDENTITY_CACHE_MS 2000

/* Questions before the gate in one statement. Each beyond the tenth hardly makes the others cheaper any more, and makes
 * all wait some microseconds longer. */
#define FACTS_BATCH_MAX 32

/* The decision log's queue of refusals: at 300 bytes a row under 3 MiB; a full one drops and counts. */
#define DECISION_QUEUE_MAX 8192

/* Kubernetes asks webhooks for warnings of at most 120 characters; so many bytes never are more. */
#define REVIEW_WARNING_BYTES_MAX 120

/* Kubernetes gives a webhook 1 to 30 s (timeoutSeconds). */
#define REVIEW_TIMEOUT_MAX_MS 60000

/* --- JSON ------------------------------------------------------------------------------------------------------- */

/* Ours nest 6 deep; a terraform document nests child modules, each two levels. 64 leaves room and keeps recursion
 * small. */
#define JSON_DEPTH_MAX 64

/* A body of 1 MiB could spell half a million values of 64 bytes each; a large terraform document has some ten thousand.
 */
#define JSON_VALUES_MAX 100000

/* --- names ------------------------------------------------------------------------------------------------------ */

#define NAME_BYTES_MAX 32          /* users and workspaces: fits a DNS label with room for a suffix */
#define PROVIDER_ID_BYTES_MAX 64   /* contract section 2 */
#define TEMPLATE_NAME_BYTES_MAX 64 /* a display name in a list */
#define INITIATOR_BYTES_MAX 64     /* whom a control plane names: a user name of its own */
#define EMAIL_BYTES_MAX 254        /* RFC 5321, section 4.5.3.1.3 */
#define TOKEN_NAME_BYTES_MAX 64    /* shown in a list of keys */
#define UUID_BYTES 36              /* RFC 9562 text form */
#define REDIRECT_BYTES_MAX 2048    /* a local path with its query */
#define URL_BYTES_MAX 2048         /* what browsers and proxies pass on without cutting */

/* --- the gate --------------------------------------------------------------------------------------------------- */

/* One version names at most so many providers; real templates name one to four. It bounds the parallel requests of one
 * evaluation and every array of verdicts. */
#define REQUIREMENTS_MAX 32

/* Configured providers; a company has a dozen. */
#define PROVIDERS_MAX 128

/* Links of one owner that a list may hold: every configured provider and as many no longer configured. */
#define LINKS_MAX 256

/* Workspaces built ahead by one call: a morning's worth of a team, and one statement of some hundred rows. */
#define PREBUILDS_MAX 100

/* Builds of one workspace that are not over. They are carried out one after the other, and whoever looks for the next
 * build passes over all that wait: more of them serve nobody. */
#define BUILDS_OPEN_MAX 100

/* What a provisioner says of a build that failed: the end of its output. */
#define BUILD_ERROR_CHARS_MAX 4000

/* The create's read, gate and insert run again once when a link moved between check and insert (contract 4.7). */
#define GATE_RUNS_MAX 2

/* --- providers -------------------------------------------------------------------------------------------------- */

#define PROVIDER_BODY_BYTES_MAX (1024 * 1024) /* contract section 5 */
#define PROVIDER_HEADER_BYTES_MAX 65536       /* all headers of one answer; GitHub sends about 4 KiB */
#define PROVIDER_TOKEN_BYTES_MAX 16384        /* an Entra access token with many groups is about 8 KiB */
#define PROVIDER_REQUEST_MS 5000              /* one validation or revocation; below the gate's budget of 10 s */
#define PROVIDER_EXCHANGE_MS 10000            /* one exchange at a token endpoint; two of them fit a lease of 30 s */
#define PROVIDER_REVOKE_MS 10000              /* contract section 6 */
#define PROVIDER_CONNECT_MS 3000              /* a TCP and TLS handshake around the world takes well under one second */
#define PROVIDER_IN_FLIGHT_MAX 64             /* parallel requests to one provider; more wait in line */
#define PROVIDER_ERROR_CHARS_MAX 400          /* contract section 5: a remembered reason, never with secrets */

/* Codes of one provider's device flow that one user may have waiting: a page that is opened again and again, on several
 * machines. Each costs the provider's patience with our client, which all users share. */
#define DEVICE_CODES_MAX 10

/* What a provider's device code, user code and times may be. GitHub's code has 40 characters, Entra's some 200; a user
 * code is typed by hand. RFC 8628 section 3.2 asks for no interval to be taken as 5 s; honest codes live 5 to 30
 * minutes. */
#define DEVICE_CODE_BYTES_MAX 4096
#define DEVICE_USER_CODE_BYTES_MAX 64
#define DEVICE_INTERVAL_DEFAULT_S 5
#define PROVIDER_INTERVAL_MAX_S 300
#define DEVICE_LIFETIME_DEFAULT_S 900
#define DEVICE_LIFETIME_MAX_S 3600

/* Our handle for one: SECRET_RANDOM_BYTES in base64url with its prefix; whatever is longer is none. */
#define DEVICE_HANDLE_BYTES_MAX 128

/* RFC 8628 section 3.5: slow_down makes the interval so much longer for good. */
#define DEVICE_SLOW_DOWN_S 5

/* A client that waits the interval comes this much too early when its clock or the network is in a hurry: it waits here
 * for the rest instead of being told off. */
#define DEVICE_EARLY_MS 1000

/* A provider that limits our requests without saying for how long is left alone for a minute. */
#define DEVICE_RATE_LIMIT_DEFAULT_S 60

/* One poll holds its code: an exchange, the patience of a save, and the statements around them. A process that dies
 * meanwhile keeps the others from it for so long. */
#define DEVICE_HOLD_MS 45000

/* A granted token waits so long for a database that is away: the code it was granted for is spent. Whoever waits for
 * the answer is a person, so it is less than a refresh has. */
#define GRANT_SAVE_MS 30000

/* A refreshed token is worth holding on to: its save is tried again for so long while the database is away. The
 * contract asks for 30 s; a failover of a database takes 20. schema/queries/lease_take.sql counts on it. */
#define REFRESH_SAVE_MS 60000

/* SIGTERM waits so long for refreshes under way. Kubernetes kills after 30 s, systemd after 90. */
#define REFRESH_DRAIN_MS 30000

/* One try at a token endpoint: its form and up to four answers of PROVIDER_BODY_BYTES_MAX, each copied once. */
#define REFRESH_ARENA_BYTES_MAX 16777216

/* --- exemptions -------------------------------------------------------------------------------------------------- */

/* A sentence or two and a link to a ticket; it stands in every warning that the exemption causes. */
#define EXEMPTION_REASON_CHARS_MAX 400

/* Whoever granted it should look again once a year, of 366 days where it has them. */
#define EXEMPTION_LIFETIME_MAX_S 31622400

/* --- lists ------------------------------------------------------------------------------------------------------ */

#define PAGE_DEFAULT 50
#define PAGE_MAX 200

/* A page whose rows hold more than this ends early. The parameters of one workspace may fill a whole body, and a page
 * is in the request's arena four times over on its way from the database to the client. */
#define PAGE_BYTES_MAX (2 * 1024 * 1024)

/* --- secrets and sessions ---------------------------------------------------------------------------------------- */

#define SECRET_RANDOM_BYTES 32           /* 256 bit; also the PKCE verifier's 32 octets, RFC 7636 section 4.1 */
#define TOKEN_LIFETIME_DEFAULT_S 2592000 /* 30 days */
#define TOKEN_LIFETIME_MIN_S 1           /* a job that makes its own token may need it for seconds */
#define TOKEN_LIFETIME_MAX_S 31536000
#define TICKET_LIFETIME_S 300           /* contract section 6 */
#define BROWSER_SESSION_LIFETIME_S 1800 /* a linking session: long enough to sign in at a provider with two factors */
#define OAUTH_STATE_LIFETIME_S 900      /* one visit to the provider's authorization page */
#define LOGIN_SESSION_LIFETIME_S 43200  /* a working day; then the sign-in service is asked again */

/* --- sign-in ----------------------------------------------------------------------------------------------------- */

/* An ID token with the groups of a large company is some KiB; its header is two or three short members. */
#define ID_TOKEN_BYTES_MAX PROVIDER_TOKEN_BYTES_MAX

#define OIDC_SUBJECT_BYTES_MAX 255 /* OpenID Connect Core section 2 */
#define OIDC_SKEW_S 60             /* between the sign-in service's clock and ours */

/* A sign-in service publishes two or three keys: the one that signs, the one before and the next. */
#define OIDC_KEYS_MAX 16

/* A key that the sign-in service has withdrawn is not trusted for longer than this. */
#define OIDC_KEYS_MAX_AGE_MS 3600000

/* Below 2048 bits a key is within reach of a large attacker (NIST SP 800-131A); above 8192 it costs time only. */
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192

/* --- login server ------------------------------------------------------------------------------------------------ */

/* RFC 8628: time to walk to a browser and sign in with two factors; its example's interval, and the step of its section
 * 3.5. A client that never slows down is not made to wait longer than the bound. */
#define DEVICE_LIFETIME_S 900
#define DEVICE_INTERVAL_S 5
#define DEVICE_INTERVAL_STEP_S 5
#define DEVICE_INTERVAL_MAX_S 60

/* Codes that wait for an answer. An office behind one address starts some at once; more live codes make guessing one
 * easier. */
#define DEVICE_LIVE_OF_ADDRESS_MAX 100
#define DEVICE_LIVE_MAX 1000

/* 8 of 31 symbols are 39.6 bits. Wrong codes that are heard within the life of one: somebody who mistypes does it a few
 * times, an office is many of them, and twice as many as everybody's together (two windows may touch one code's life)
 * stay below the 198 that keep one code's guessing at 2^-32 (RFC 8628 section 5.1). The bound is not divided by the
 * codes that live: whoever asks for many of them would keep everybody from entering theirs. With all of DEVICE_LIVE_MAX
 * alive it is 2^-22 for some code of them, by nine accounts that are known; and whoever guesses one lets its owner in
 * as the guesser, not the guesser in as its owner. */
#define DEVICE_WRONG_OF_ACCOUNT_MAX 10
#define DEVICE_WRONG_OF_ADDRESS_MAX 20
#define DEVICE_WRONG_MAX 90

#define DEVICE_AGENT_BYTES_MAX 200 /* a User-Agent, shown to who approves */
#define LOGIN_FAMILIES_MAX 50      /* logins of one user; the oldest goes: some machines, each with some profiles */
#define LOGIN_ACCESS_MIN_MS 60000
#define LOGIN_ACCESS_MAX_MS 86400000
#define LOGIN_REFRESH_MIN_MS 60000
#define LOGIN_REFRESH_MAX_MS 31622400000 /* a year */

/* REQUIREMENTS_MAX providers of PROVIDER_ID_BYTES_MAX with their generations are 3 KiB of claims, 4 KiB in base64. */
#define RECEIPT_BYTES_MAX 8192

/* A receipt bridges the queue between a check and the job's start; one that lives longer than a day is a permission. */
#define RECEIPT_LIFETIME_MIN_MS 10000
#define RECEIPT_LIFETIME_MAX_MS 86400000

/* One signs, those before it still verify: as many as there are encryption keys they may be derived from. */
#define RECEIPT_KEYS_MAX 16

/* --- configuration ---------------------------------------------------------------------------------------------- */

/* PROVIDERS_MAX providers with every field and long comments come to about 300 KiB. */
#define CONFIG_FILE_BYTES_MAX (1024 * 1024)

/* PROVIDERS_MAX providers of 32 fields, and the settings; aliases count where they stand. */
#define CONFIG_VALUES_MAX 5000

/* The file's map, the list of providers, a provider, a field. */
#define CONFIG_DEPTH_MAX 4

/* One value: a connection string, a list of keys, a regular expression. */
#define CONFIG_VALUE_BYTES_MAX 4096

/* A client id, a claim's name, a list of scopes: they go into a URL. */
#define CONFIG_WORD_BYTES_MAX 1024

/* Configuration with all it was read from: every value and every key as long as it may be, each with its place. */
#define CONFIG_ARENA_BYTES_MAX (128 * 1024 * 1024)

/* --- metrics ----------------------------------------------------------------------------------------------------- */

/* Series of one metric: the largest, requests to PROVIDERS_MAX providers by purpose and result, has about 3000. */
#define METRIC_SERIES_MAX 4096

#endif
