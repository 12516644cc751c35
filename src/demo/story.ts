import { fileURLToPath } from 'node:url';
import type { LocalState } from '../platform/embedded/local-state.js';
import { type Demo, SAMPLE_FILE } from './demo.js';

/** The command itself, wherever the walk-through is pasted. */
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/**
 * What `npm start` prints at the end: the link, the credentials, and a walk-through to paste into any shell (no comments
 * in it: an interactive zsh takes `#` for a command).
 */
export function demoStory(demo: Demo, state: LocalState): string {
  return `
  Demo study      ${demo.shareUrl}
  Client          ${demo.clientId} / ${demo.clientSecret}
  API key         ${demo.apiKey}
  Portal key      ${demo.portalApiKey}
  Patient         ${demo.patientEmail}${demo.mailboxUrl ? `, whose mail is at ${demo.mailboxUrl}` : ''}
  Owner           ${demo.staffEmail}, of the organization ${demo.organizationId}
  All of it       ${state.path('demo.json')}

Paste this into a second shell to upload an exam of your own:

API=${demo.baseUrl}
FILE='${state.path(SAMPLE_FILE)}'
json() { node -pe "JSON.parse(require('fs').readFileSync(0))$1"; }
soon() { for N in 1 2 3 4 5 6 7 8 9 10; do "$@" && return; sleep 1; done; }

echo '1. A token, good for an hour (OAuth2 client credentials)'
TOKEN=$(curl -sS -u '${demo.clientId}:${demo.clientSecret}' -d grant_type=client_credentials $API/oauth2/token | json .access_token)

echo '2. An exam: who, what, and the files with their sizes'
EXAM=$(curl -sS $API/api/v1/exams -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d "{\\"name\\": \\"My first exam\\", \\"patient_name\\": \\"Jane Doe\\", \\"files\\": [{\\"name\\": \\"ct_001.dcm\\", \\"size\\": $(wc -c < "$FILE")}]}")
ID=$(echo "$EXAM" | json .exam_id)

echo '3. The bytes, straight into the bucket'
curl -sS -X PUT -H 'Content-Type: application/dicom' --data-binary "@$FILE" "$(echo "$EXAM" | json '.upload_urls[0].url')"

echo '4. Confirm, and see what became of it'
curl -sS -X POST $API/api/v1/exams/$ID/confirm -H "Authorization: Bearer $TOKEN"; echo
registered() { EXAM=$(curl -sS $API/api/v1/exams/$ID -H "Authorization: Bearer $TOKEN"); [ "$(echo "$EXAM" | json .ingestion_status)" = registered ]; }
soon registered; echo "$EXAM"

echo "5. A hospital's way: an order, a URL for one object, and nothing to confirm"
ORDER=$(curl -sS $API/new-order -H "Authorization: Bearer $TOKEN" | json .order_id)
curl -sS -X PUT -H 'Content-Type: application/dicom' --data-binary "@$FILE" \
  "$(curl -sS "$API/upload?order_id=$ORDER" -H "Authorization: Bearer $TOKEN" | json .url)"

echo '6. Close the order now instead of after the idle minute, and see where it stands'
curl -sS -X POST $API/orders/$ORDER/close -H "Authorization: Bearer $TOKEN" > /dev/null
closed() { STATUS=$(curl -sS "$API/status?order_id=$ORDER" -H "Authorization: Bearer $TOKEN"); [ "$(echo "$STATUS" | json '.submission?.state')" = closed ]; }
soon closed; echo "$STATUS"

echo "7. A field app's way: a file by its hash, its bytes, complete; a known hash needs no upload"
printf 'Crack in the casing, %s' "$ORDER" > "$FILE.txt"
HASH=$(node -p "require('crypto').createHash('sha256').update(require('fs').readFileSync('$FILE.txt')).digest('base64')")
FOUND=$(curl -sS $API/api/inspect/v1/file/upload/presigned -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d "{\\"contentType\\": \\"text/plain\\", \\"hash\\": \\"$HASH\\", \\"name\\": \\"finding.txt\\", \\"size\\": $(wc -c < "$FILE.txt")}")
curl -sS -X PUT -H 'Content-Type: text/plain' --data-binary "@$FILE.txt" "$(echo "$FOUND" | json .data.presignedURL)"
curl -sS $API/api/inspect/v1/file/upload/complete -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d "{\\"id\\": \\"$(echo "$FOUND" | json .data.id)\\"}"; echo

echo '8. Who may do what: an administrator asks whether an auditor may delete that exam, and why not'
ADMIN=$(curl -sS -u '${demo.adminClientId}:${demo.adminClientSecret}' -d grant_type=client_credentials $API/oauth2/token | json .access_token)
AUDITOR=$(curl -sS "$API/api/v1/admin/clients?name=Demo%20auditor" -H "Authorization: Bearer $ADMIN" | json '.items[0].id')
curl -sS $API/api/v1/admin/access/explain -H "Authorization: Bearer $ADMIN" -H 'Content-Type: application/json' \\
  -d "{\\"principal\\": {\\"kind\\": \\"client\\", \\"id\\": \\"$AUDITOR\\"}, \\"operation\\": \\"exams:delete\\", \\"resource\\": {\\"type\\": \\"Exam\\", \\"id\\": \\"$ID\\"}}"; echo
${auditStory(demo, state)}${demo.mailboxUrl ? patientStory(demo, demo.mailboxUrl) + staffStory(demo) : ''}`;
}

/** What was done until now is sealed within some seconds here. The second copy is a forgery, and is found out. */
const auditStory = (demo: Demo, state: LocalState): string => `
echo '9. The auditor takes the ledger home, and verifies it without us; then a forged copy of it'
AUDIT=$(curl -sS -u '${demo.auditorClientId}:${demo.auditorClientSecret}' -d grant_type=client_credentials $API/oauth2/token | json .access_token)
LEDGER='${state.path('audit')}'
audit() { curl -sS "$API/api/v1/audit/$1" -H "Authorization: Bearer $AUDIT"; }
verify() { node '${MAIN}' audit verify "$1" --manifest "$LEDGER.manifest.ndjson" --keys "$LEDGER.keys.json"; }
sleep 8; TAKEN=$(curl -sS $API/api/v1/audit/exports -H "Authorization: Bearer $AUDIT" -H 'Content-Type: application/json' -d '{"format": "ndjson"}' | json .id)
while audit exports/$TAKEN | json .state | grep -qE 'queued|running'; do sleep 1; done
curl -sS -o "$LEDGER.ndjson" "$(audit exports/$TAKEN | json .download_url)"
curl -sS -o "$LEDGER.manifest.ndjson" "$(audit exports/$TAKEN | json .manifest_url)"
audit keys > "$LEDGER.keys.json"
sed 's/exams:create/exams:delete/' "$LEDGER.ndjson" > "$LEDGER.forged.ndjson"
verify "$LEDGER.ndjson"; verify "$LEDGER.forged.ndjson"
`;

/** Without the local mailbox the code would be in a real one. */
const patientStory = (demo: Demo, mailboxUrl: string): string => `
echo "10. A patient's way: a code by e-mail, which the local mailbox shows (one every 30 s: a second run waits)"
USERS=$API/api/v1/users KEY='cv-api-key: ${demo.portalApiKey}' TYPE='Content-Type: application/json'
newest() { curl -sS ${mailboxUrl}/messages.json | json ".messages.find(m => m.to.includes('$1') && /code/.test(m.subject))?.$2"; }
another() { [ "$(newest "$1" id)" != "$BEFORE" ]; }
BEFORE=$(newest ${demo.patientEmail} id)
curl -sS --retry 1 --retry-max-time 40 $USERS/auth/send-otp -H "$KEY" -H "$TYPE" -d '{"email": "${demo.patientEmail}"}' > /dev/null
soon another ${demo.patientEmail}; CODE=$(newest ${demo.patientEmail} 'text.match(/[0-9]{6}/)[0]')
SESSION=$(curl -sS $USERS/auth/verify-otp -H "$KEY" -H "$TYPE" -d "{\\"email\\": \\"${demo.patientEmail}\\", \\"code\\": \\"$CODE\\"}" | json .accessToken)

echo '11. A file in base64 onto the case, and the list of what is there'
curl -sS $USERS/me/files/upload -H "$KEY" -H "Authorization: Bearer $SESSION" -H "$TYPE" \\
  -d "{\\"name\\": \\"note.txt\\", \\"mimeType\\": \\"text/plain\\", \\"caseId\\": \\"${demo.caseId}\\", \\"data\\": \\"$(printf 'It hurts less.' | base64)\\"}"; echo
curl -sS "$USERS/me/files" -H "$KEY" -H "Authorization: Bearer $SESSION"; echo
`;

const staffStory = (demo: Demo): string => `
echo '12. The owner signs in by a code, too, and sees who else is there'
STAFF=$API/api/v1/staff/auth WHO='"organization_id": "${demo.organizationId}", "email": "${demo.staffEmail}"'
BEFORE=$(newest ${demo.staffEmail} id)
curl -sS --retry 1 --retry-max-time 40 $STAFF/send-code -H "$TYPE" -d "{$WHO}" > /dev/null
soon another ${demo.staffEmail}; CODE=$(newest ${demo.staffEmail} 'text.match(/[0-9]{6}/)[0]')
OWNER=$(curl -sS $STAFF/verify-code -H "$TYPE" -d "{$WHO, \\"code\\": \\"$CODE\\"}" | json .access_token)
curl -sS "$API/api/v1/admin/users" -H "Authorization: Bearer $OWNER"; echo
`;
