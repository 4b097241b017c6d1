#!/bin/sh
# Starts Varnish as an HLS edge, for example: varnish.sh -F -a 127.0.0.1:6081 -f varnish.vcl -s malloc,1g
# What each parameter is worth: docs/performance.md, "HLS".

# All viewers of a stream ask within the same milliseconds. What can't be worked on at once has to queue:
# by default all but 20 of them would be disconnected.
set -- "$@" -p thread_queue_limit=20000

# Waking a thread costs more than an answer from memory: few threads that stay awake answer a burst sooner than
# a thread for each. A reload that blocks holds one of them, once for all its viewers, so 20 a second are added
# as long as there are too few; what is not needed for 10 s goes.
set -- "$@" -p thread_pools=1 -p thread_pool_min=20 -p thread_pool_add_delay=0.05 -p thread_pool_timeout=10

# The next request on a connection comes a third of a second later: no thread waits for it.
set -- "$@" -p timeout_linger=0

# So many of those who wait for an object start when one of them has been answered.
set -- "$@" -p rush_exponent=10

# nginx in front has a log; to read Varnish's: varnishadm param.set vsl_mask default
for record in ReqStart ReqMethod ReqURL ReqProtocol ReqHeader ReqUnset ReqAcct RespProtocol RespStatus RespReason \
    RespHeader RespUnset VCL_call VCL_return VCL_use Timestamp Hit HitMiss Link Begin End; do
    masked="$masked,-$record"
done
set -- "$@" -p "vsl_mask=${masked#,}"

PATH="$PATH:/usr/sbin"
exec varnishd "$@"
