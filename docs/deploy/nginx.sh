#!/bin/sh
# Starts nginx in front of the HLS edge: nginx.sh nginx.conf FOLDER TLS_FOLDER [DIRECTIVES]
# FOLDER is for what it writes, TLS_FOLDER holds tls.crt and tls.key. SPILLWAY_EDGE_KEY is the node's `edge_key`.
set -eu

case "${SPILLWAY_EDGE_KEY:-}" in
'' | *[!A-Za-z0-9_-]*)
    echo 'SPILLWAY_EDGE_KEY must be letters, digits, "-" and "_", the same for nginx and the node' >&2
    exit 2
    ;;
esac

umask 077
sed "s/EDGE_KEY/$SPILLWAY_EDGE_KEY/" "$1" >"$2/nginx.conf"
ln -sf "$3/tls.crt" "$3/tls.key" "$2/"

PATH="$PATH:/usr/sbin"
exec nginx -p "$2" -c nginx.conf -g "${4:-} daemon off;"
