#!/usr/bin/env bash
# A launcher in forty lines: brings a product up to date over the daemon's socket, then starts it.
# Needs curl and jq, and membership of the group 'shoal'.
#
#   examples/launcher.sh PRODUCT [SOCKET]
set -euo pipefail

product=${1:?usage: launcher.sh PRODUCT [SOCKET]}
socket=${2:-/run/shoal/api.sock}

api() {  # METHOD PATH [JSON]; an error of the API is shown as the daemon words it
  local answer status
  answer=$(curl --silent --show-error --unix-socket "$socket" --request "$1" \
    ${3:+--header 'Content-Type: application/json' --data "$3"} \
    --write-out '\n%{http_code}' "http://shoal/v1$2") || {
    echo "launcher: the daemon does not answer; is shoald running?" >&2
    exit 1
  }
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  if [[ $status -ge 400 ]]; then
    jq -r '"launcher: \(.message). \(.remedy)"' <<<"$answer" >&2
    return 1
  fi
  printf '%s\n' "$answer"
}

installed() {
  api GET /installs | jq -ce --arg p "$product" '.installs[] | select(.product == $p)'
}

api GET /system >/dev/null
kind=update
installed >/dev/null || kind=install
change=$(api POST /changes "$(jq -nc --arg k "$kind" --arg p "$product" '{kind: $k, product: $p}')")
id=$(jq -r .id <<<"$change")
until jq -e '.state | IN("done", "failed", "cancelled")' <<<"$change" >/dev/null; do
  jq -r '"\(.state): \(.bytes.fetched) of \(.bytes.total) bytes, " +
         "edge \(.bytes.edge), peers \(.bytes.peers)"' <<<"$change"
  sleep 1
  change=$(api GET "/changes/$id")
done
if ! jq -e '.state == "done"' <<<"$change" >/dev/null; then
  jq -r '"launcher: \(.state). \(.error.message // "") \(.error.remedy // "")"' <<<"$change" >&2
  exit 1
fi

install=$(installed)
executable=$(jq -r .launch_executable <<<"$install")
if [[ -z $executable ]]; then
  echo "$product $(jq -r .version <<<"$install") is at $(jq -r .path <<<"$install")"
  exit 0
fi
cd "$(jq -r .path <<<"$install")"
mapfile -t arguments < <(jq -r '.launch_arguments[]' <<<"$install")
exec "./$executable" "${arguments[@]}"
