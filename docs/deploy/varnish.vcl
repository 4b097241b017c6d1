# Spillway's HLS edge: Varnish 7. Any number of players that wait for the same part cost the origin one
# request. Let nginx (nginx.conf beside this file) stand in front of it for TLS and HTTP/2, and let nobody
# else reach it: what lies under /hls/p/ has been checked by nginx, not here.
vcl 4.1;

import std;

backend origin {
    .host = "127.0.0.1";
    .port = "8080";
    # A blocked reload takes up to 6 s, three target durations.
    .first_byte_timeout = 15s;
    .between_bytes_timeout = 10s;
    .max_connections = 4000;
}

sub vcl_recv {
    if (req.method == "OPTIONS") {
        return (pass);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (synth(405));
    }
    if (req.url !~ "^/hls/" && req.url !~ "^/api/v1/streams/[^/]+/(manifest|dvr)\.m3u8") {
        return (synth(404));
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    # Only delivery directives make a difference, in one order.
    set req.url = regsuball(req.url, "(?<=[?&])(?!_HLS_)[^&]*&?", "");
    set req.url = regsub(req.url, "[?&]+$", "");
    set req.url = std.querysort(req.url);
    return (hash);
}

sub vcl_hash {
    # Whatever the host name, it is the same stream.
    hash_data(req.url);
    return (lookup);
}

sub vcl_backend_fetch {
    # Equal requests of all viewers are equal at the origin, too: it remembers how it has read them.
    unset bereq.http.X-Varnish;
    unset bereq.http.X-Forwarded-For;
}

sub vcl_backend_response {
    # Nothing stale: an old playlist sends a player back in time.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    # Whole objects only: who waits is answered with one write, not with one for each piece that comes in.
    set beresp.do_stream = false;
    if (beresp.status == 503 || beresp.status == 502) {
        # So that a herd doesn't turn to the origin while it is late.
        set beresp.ttl = 1s;
        return (deliver);
    }
    if (beresp.ttl <= 0s) {
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
    }
}

sub vcl_backend_error {
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.http.Retry-After = "2";
    set beresp.ttl = 1s;
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.Via;
    unset resp.http.X-Varnish;
}
