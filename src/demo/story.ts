import type { LocalState } from '../platform/embedded/local-state.js';
import { type Demo, SAMPLE_FILE } from './demo.js';

/**
 * What `npm start` prints at the end: the link, the credentials, and a walk-through to paste into any shell (no comments
 * in it: an interactive zsh takes `#` for a command).
 */
export function demoStory(demo: Demo, state: LocalState): string {
  return `
  Demo study      ${demo.shareUrl}
  Client          ${demo.clientId} / ${demo.clientSecret}
  API key         ${demo.apiKey}
  All of it       ${state.path('demo.json')}

Paste this into a second shell to upload an exam of your own:

API=${demo.baseUrl}
FILE='${state.path(SAMPLE_FILE)}'
json() { node -pe "JSON.parse(require('fs').readFileSync(0))$1"; }

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
sleep 1; curl -sS $API/api/v1/exams/$ID -H "Authorization: Bearer $TOKEN"; echo

echo "5. A hospital's way: an order, a URL for one object, and nothing to confirm"
ORDER=$(curl -sS $API/new-order -H "Authorization: Bearer $TOKEN" | json .order_id)
curl -sS -X PUT -H 'Content-Type: application/dicom' --data-binary "@$FILE" \
  "$(curl -sS "$API/upload?order_id=$ORDER" -H "Authorization: Bearer $TOKEN" | json .url)"

echo '6. Close the order now instead of after the idle minute, and see where it stands'
curl -sS -X POST $API/orders/$ORDER/close -H "Authorization: Bearer $TOKEN" > /dev/null
sleep 4; curl -sS "$API/status?order_id=$ORDER" -H "Authorization: Bearer $TOKEN"; echo
`;
}
