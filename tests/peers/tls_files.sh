#!/usr/bin/env bash
# Certificates for tests with stock clients: tls_files.sh FOLDER. An authority, a server on this machine, a client named
# `default`, and a client of another authority, made by the program `openssl`.
set -euo pipefail

folder=$1
mkdir -p "$folder"
cd "$folder"

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.crt" 2>/dev/null
}

signed() {
    local name=$1 by=$2 subject=$3 extensions=$4
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
        -subj "/CN=$subject" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA "$by.crt" -CAkey "$by.key" -CAcreateserial -days 3650 \
        -extfile <(printf '%s\n' "$extensions") -out "$name.crt" 2>/dev/null
}

authority ca
authority stranger
signed server ca localhost $'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth'
signed client ca default 'extendedKeyUsage=clientAuth'
signed other stranger default 'extendedKeyUsage=clientAuth'
chmod 600 ./*.key
