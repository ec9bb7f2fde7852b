// Not older: before, sumdb/tlog left some tiles unauthenticated.
module policyguard.example/goverify

go 1.25.0

require golang.org/x/mod v0.40.0
