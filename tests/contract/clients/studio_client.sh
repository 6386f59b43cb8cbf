#!/usr/bin/env bash
# A client of the studio as customers write it, with curl: from the login to approved shots.
# Addresses, credentials and the ids of what is in the catalog come from the environment; what it
# saw goes to stdout as JSON. PYTHON only takes apart what curl answers.
set -euo pipefail
picture=$1

# A value of the JSON on stdin, such as `of '["shots"][0]["id"]'`.
of() {
  "$PYTHON" -c "import json, sys; print(json.load(sys.stdin)$1)"
}

send() { # path, JSON
  curl -sS -X POST "$BASE_URL$1" \
    -H "Authorization: Bearer $TOKEN" \
    -H "Content-Type: application/json" \
    -d "$2"
}

read_from() { # path
  curl -sS "$BASE_URL$1" -H "Authorization: Bearer $TOKEN"
}

failure() { # curl's arguments; [status, detail]
  curl -sS -w '\n%{http_code}' "$@" | "$PYTHON" -c '
import json, sys
body, status = sys.stdin.read().rsplit("\n", 1)
detail = json.loads(body)["detail"]
if status == "422":
    detail = [".".join(map(str, one["loc"])) + ": " + one["msg"] for one in detail]
print(json.dumps([int(status), detail]))'
}

TOKEN=$(curl -sS -X POST "$BASE_URL/login/access-token" \
  -H "Content-Type: application/x-www-form-urlencoded" \
  --data-urlencode "username=$USERNAME" \
  --data-urlencode "password=$PASSWORD" | of '["access_token"]')

product=$(send /products/ '{"name": "Summer Dress", "sku": "DRS-001", "category": "dresses"}')
product_id=$(of '["id"]' <<<"$product")
curl -sS -o /dev/null -X POST "$BASE_URL/products/$product_id/images" \
  -H "Authorization: Bearer $TOKEN" \
  -F "file=@$picture" \
  -F "type=primary"
product=$(read_from /products/ | "$PYTHON" -c '
import json, sys
print(json.dumps(json.load(sys.stdin)["items"][0]))')

shooting_id=$(send /shootings/ \
  "{\"name\": \"Summer Collection\", \"brand_id\": \"$BRAND_ID\"}" | of '["id"]')
look=$(send "/shootings/$shooting_id/looks" "{
  \"main_product_id\": \"$product_id\",
  \"subject_id\": \"$SUBJECT_ID\",
  \"style_id\": \"$STYLE_ID\",
  \"shot_type_ids\": [\"${SHOT_TYPE_IDS/,/\", \"}\"]
}")

ready="" files="" approved=""
for number in 0 1; do
  shot_id=$(of "[\"shots\"][$number][\"id\"]" <<<"$look")
  generation=$(send "/shots/$shot_id/generate" '{"num_predictions": 4}' | of '["id"]')
  until [ "$(read_from "/generations/$generation" | of '["status"]')" = completed ]; do
    sleep "$POLL_SECONDS"
  done
  prediction=$(read_from "/generations/$generation" | of '["predictions"][0]["id"]')
  shot=$(read_from "/shots/$shot_id")
  size=$(curl -sS -o /dev/null -w '%{size_download}' "$(of '["current_image_url"]' <<<"$shot")")
  decided=$(send "/shots/$shot_id/approve" "{\"prediction_id\": \"$prediction\"}")
  ready+=",$shot" files+=",$size" approved+=",$decided"
done

errors=$(failure "$BASE_URL/products/")
errors+=,$(failure "$BASE_URL/products/$shooting_id" -H "Authorization: Bearer $TOKEN")
errors+=,$(failure -X POST "$BASE_URL/products/" \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{"name": "Summer Dress"}')

echo "{\"product\": $product, \"look\": $look, \"ready\": [${ready:1}],
  \"files\": [${files:1}], \"approved\": [${approved:1}], \"errors\": [$errors]}"
