# Sourced by .ci/run and ci_full.sh: runs jobs within time limits and adds up what they count.

passed=0 failed=0

# job NAME SECONDS COMMAND...: adds the `N passed, N failed` that the command closes on, else one.
job() {
  local name=$1 seconds=$2 log code=0 counts good bad
  shift 2
  log=$(mktemp)
  SECONDS=0
  timeout -k 10 "$seconds" "$@" > "$log" 2>&1 || code=$?
  counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  if [ -z "$counts" ]; then
    counts="0 passed, 1 failed"
    [ "$code" != 0 ] || counts="1 passed, 0 failed"
  fi
  read -r good _ bad _ <<< "$counts"
  if [ "$code" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi  # cut off after its last count
  passed=$((passed + good)) failed=$((failed + bad))
  echo "== $name: $counts, exit code $code, ${SECONDS} s of $seconds"
  if [ "$code" != 0 ]; then tail -n 200 "$log"; else grep -E '^skipped' "$log"; fi
  rm -f "$log"
}

# Prints the sum and returns 0 when something passed and nothing failed.
closing_line() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}
