# Rewrites a .proto for protoc-c 1.4.1, on the way to the compiler only:
#  - proto3 "optional T f = n;", which it refuses, becomes "oneof _f { T f = n; }": the same bytes,
#    presence kept (protoc itself makes that very oneof);
#  - deprecation marks are dropped;
#  - each package gets a short C prefix, so that names stay readable.
/^package / {
    pkg = $2; sub(/;$/, "", pkg)
    print
    short = pkg
    sub(/^com\.digitalasset\.canton\./, "", short)
    if (short == "version.v1") short = "ver"
    else if (short == "v30") short = "trace"
    else if (short == "crypto.v30") short = "c30"
    else if (short == "protocol.v30") short = "p30"
    else if (short == "protocol.v31") short = "p31"
    else if (short == "sequencer.api.v30") short = "seq"
    else if (short == "google.rpc") short = "rpc"
    else if (short == "grpc.health.v1") short = "health"
    else if (short == "lockstep.participant.v1") short = "part"
    else if (short == "lockstep.admin.v1") short = "lsadm"
    else { sub(/\.v30$/, "", short); gsub(/\./, "_", short) }
    print "import \"protobuf-c/protobuf-c.proto\";"
    print "option (pb_c_file) = {c_package: \"" short "\"};"
    next
}
/^ *optional / {
    match($0, /^ */)
    indent = substr($0, 1, RLENGTH)
    line = $0
    sub(/^ *optional /, "", line)
    split(line, w, " ")
    print indent "oneof _" w[2] " { " line " }"
    next
}
# The mark would make every use a compiler warning, and readers must look at old fields.
{ sub(/ \[deprecated = true\]/, ""); print }
