# common-functions.sh - what shell scripts around a Lambda function share: source it.
#
#     source scripts/common-functions.sh
#     log_section "Performance"; log_step "cold start"; log_success "done"; log_section_complete
#
# `lamina init --scripts` writes this file into a project. Works in bash and in a POSIX shell, also
# under `set -eu`. No function of it fails, so that none ends a script that has `set -e`.
#
# `aws` becomes a function that asks the embedded cloud, unless LAMINA_TARGET=aws: scripts written for
# Amazon run on this machine as they are, and nothing goes to Amazon by accident. Version 2 of the aws
# CLI also gets what it needs to take --payload '{"as": "text"}', as version 1 does.
#
# Variables, each only set when it is not yet:
#   AWS_REGION, AWS_DEFAULT_REGION    us-east-1
#   GITHUB_REPO_OWNER, GITHUB_REPO_NAME    of GITHUB_REPOSITORY, or of git's remote "origin"
#   SNS_ALERT_TOPIC_ARN               empty: scripts skip what needs it
#   LOG_LEVEL                         debug; info, warning, error say less
#   NO_COLOR                          no colours; there are none where stdout is no terminal

: "${AWS_REGION:=${AWS_DEFAULT_REGION:-us-east-1}}"
: "${AWS_DEFAULT_REGION:=$AWS_REGION}"
: "${SNS_ALERT_TOPIC_ARN:=}"
: "${LOG_LEVEL:=debug}"
export AWS_REGION AWS_DEFAULT_REGION

_lamina_repository() {
    if [ -n "${GITHUB_REPOSITORY:-}" ]; then
        printf '%s\n' "$GITHUB_REPOSITORY"
    else # git@host:owner/name.git, https://host/owner/name
        git config --get remote.origin.url 2>/dev/null |
            sed -n -e 's/\.git$//' -e 's#/*$##' -e 's#^.*[:/]\([^/:]*/[^/:]*\)$#\1#p' || :
    fi
}
if [ -z "${GITHUB_REPO_OWNER:-}" ] || [ -z "${GITHUB_REPO_NAME:-}" ]; then
    _lamina_found=$(_lamina_repository)
    : "${GITHUB_REPO_OWNER:=${_lamina_found%%/*}}"
    : "${GITHUB_REPO_NAME:=${_lamina_found##*/}}"
    unset _lamina_found
fi

# ---- log ----

# _lamina_log LEVEL COLOUR MARK TEXT...; levels: 0 debug, 1 info, 2 warning, 3 error
_lamina_log() {
    case $LOG_LEVEL in
    error) _lamina_least=3 ;;
    warn | warning) _lamina_least=2 ;;
    info) _lamina_least=1 ;;
    *) _lamina_least=0 ;;
    esac
    if [ "$1" -lt "$_lamina_least" ]; then
        return 0
    fi
    _lamina_colour=$2 _lamina_mark=$3
    shift 3
    if [ -n "${NO_COLOR:-}" ] || ! [ -t 1 ]; then
        printf '%s %s\n' "$_lamina_mark" "$*" || :
    else
        printf '\033[%sm%s\033[0m %s\n' "$_lamina_colour" "$_lamina_mark" "$*" || :
    fi
}

# Sections fold, and warnings and errors are annotations, in the log of GitHub Actions: one line each,
# whose message has its line ends and % written as the runner reads them.
_lamina_github() { # COMMAND TEXT...
    _lamina_command=$1
    shift
    printf '%s' "$*" | LC_ALL=C awk -v command="$_lamina_command" '
        BEGIN { printf "::%s::", command }
        { gsub(/%/, "%25"); gsub(/\r/, "%0D"); printf "%s%s", (NR > 1 ? "%0A" : ""), $0 }
        END { print "" }' || :
}
log_section() {
    _lamina_section="$*"
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        _lamina_github group "$@"
    else
        _lamina_log 1 "1;36" "==" "$* =="
    fi
}
log_section_complete() {
    _lamina_log 1 "1;36" "==" "${*:-${_lamina_section:-}} complete =="
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        printf '::endgroup::\n' || :
    fi
}
log_step() { _lamina_log 1 "34" "->" "$@"; }
log_info() { _lamina_log 1 "34" "  " "$@"; }
log_success() { _lamina_log 1 "32" "ok" "$@"; }
log_debug() { _lamina_log 0 "2" " ." "$@"; }
log_warning() {
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        _lamina_github warning "$@"
    else
        _lamina_log 2 "33" " !" "$@" >&2
    fi
}
log_error() {
    if [ "${GITHUB_ACTIONS:-}" = true ]; then
        _lamina_github error "$@"
    else
        _lamina_log 3 "31" "no" "$@" >&2
    fi
}

# ---- aws ----

_lamina_aws_version() {
    if [ -z "${_lamina_aws_major:-}" ]; then
        _lamina_aws_major=$(command aws --version 2>&1 | sed -n 's#^aws-cli/\([0-9]*\)\..*#\1#p')
    fi
    [ "${_lamina_aws_major:-1}" -ge 2 ]
}

aws() {
    case " $* " in
    *" --cli-binary-format "*) ;;
    *) if _lamina_aws_version; then set -- --cli-binary-format raw-in-base64-out "$@"; fi ;;
    esac
    if [ "${LAMINA_TARGET:-local}" = aws ]; then
        command aws "$@"
        return
    fi
    case " $* " in
    *" --endpoint-url"*) ;;
    *) set -- --endpoint-url "${AWS_ENDPOINT_URL:-http://127.0.0.1:${LAMINA_PORT:-4566}}" "$@" ;;
    esac
    # The embedded cloud takes any credentials; real ones stay on this machine.
    AWS_ACCESS_KEY_ID="${AWS_ACCESS_KEY_ID:-test}" \
        AWS_SECRET_ACCESS_KEY="${AWS_SECRET_ACCESS_KEY:-test}" AWS_PAGER="" command aws "$@"
}
