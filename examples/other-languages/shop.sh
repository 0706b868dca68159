#!/bin/sh
# Tests in a shell script, with curl. Run: sh shop.sh
set -eu
folder=$(mktemp -d)
couchfake serve --port 0 --control --url-file "$folder/url" --ready-file "$folder/ready" > /dev/null &
fake=$!
trap 'kill "$fake"; rm -r "$folder"' EXIT
while [ ! -e "$folder/ready" ]; do sleep 0.1; done
url=$(cat "$folder/url")

ask() { curl --silent --show-error -H "Content-Type: application/json" -X "$@"; }

ask PUT "${url}shop" > /dev/null
snapshot=$(ask POST "${url}_couchfake/snapshots" -d '{}' | sed 's/.*"id":"\([^"]*\)".*/\1/')

ask PUT "${url}shop/tea" -d '{"price": 3}' > /dev/null
ask GET "${url}shop/tea" | grep -q '"price":3'

ask POST "${url}_couchfake/snapshots/$snapshot/restore" -d '{}' > /dev/null
ask GET "${url}shop/tea" | grep -q '"reason":"missing"'

echo passed
