# shellcheck shell=bash disable=SC2034
# Sourced by the scripts beside it: goes to the repository's root and reports sections.

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
export LC_ALL=C.UTF-8
jobs=$(nproc)

# section TITLE COMMAND...: runs the command under a heading, says how long it took, and ends the
# script with its exit code when it fails.
section() {
  local title=$1 started=$SECONDS status=0
  shift
  printf '\n==> %s\n' "$title"
  "$@" || status=$?
  if ((status != 0)); then
    printf '==> %s: FAILED after %d s (exit code %d)\n' "$title" $((SECONDS - started)) "$status" >&2
    exit "$status"
  fi
  printf '==> %s: %d s\n' "$title" $((SECONDS - started))
}

# The files of the project that clang-format and clang-tidy look at.
sources() {
  find src fuzz bench tests pgext -name '*.cc' -o -name '*.c' -o -name '*.h' | sort
}
