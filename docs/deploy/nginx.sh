#!/bin/sh
# Starts nginx in front of the HLS edge: nginx.sh nginx.conf FOLDER TLS_FOLDER [DIRECTIVES]
# FOLDER is for what it writes, TLS_FOLDER holds tls.crt and tls.key. SPILLWAY_EDGE_KEY is the node's `edge_key`.
# SPILLWAY_EDGE_ACCESS_LOG is a file to write an access log to, for counting plain players; none by default.
set -eu

case "${SPILLWAY_EDGE_KEY:-}" in
'' | *[!A-Za-z0-9_-]*)
    echo 'SPILLWAY_EDGE_KEY must be letters, digits, "-" and "_", the same for nginx and the node' >&2
    exit 2
    ;;
esac

access_log=off
case "${SPILLWAY_EDGE_ACCESS_LOG:-}" in
'') ;;
[!/]* | *[!A-Za-z0-9_./-]*)
    echo 'SPILLWAY_EDGE_ACCESS_LOG must be an absolute path of letters, digits, "_", ".", "/" and "-"' >&2
    exit 2
    ;;
*) access_log="$SPILLWAY_EDGE_ACCESS_LOG hls" ;;
esac

umask 077
sed "s/EDGE_KEY/$SPILLWAY_EDGE_KEY/; s|access_log off;|access_log $access_log;|" "$1" >"$2/nginx.conf"
ln -sf "$3/tls.crt" "$3/tls.key" "$2/"

PATH="$PATH:/usr/sbin"
exec nginx -p "$2" -c nginx.conf -g "${4:-} daemon off;"
