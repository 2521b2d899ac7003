# bash completion of lamina. The words come from the program's own option tables.
_lamina() {
    local word=$2 before=$3 verb=${COMP_WORDS[1]} name value line
    COMPREPLY=()
    if [ "$COMP_CWORD" -le 1 ]; then
        COMPREPLY=($(compgen -W "$("$1" manual --verbs 2>/dev/null | cut -f1)" -- "$word"))
        return
    fi
    if [ "$verb" = help ]; then
        COMPREPLY=($(compgen -W "$("$1" manual --verbs 2>/dev/null | cut -f1)" -- "$word"))
        return
    fi
    while IFS= read -r line; do
        name=${line%%$'\t'*}
        value=${line#*$'\t'}
        value=${value%%$'\t'*}
        if [ "$name" = "$before" ] && [ -n "$value" ]; then
            case $value in
            *FILE* | *ZIP*) COMPREPLY=($(compgen -f -- "$word")) ;;
            *DIR*) COMPREPLY=($(compgen -d -- "$word")) ;;
            *'|'*) COMPREPLY=($(compgen -W "${value//|/ }" -- "$word")) ;;
            esac
            return
        fi
        [[ $word == -* && $name == "$word"* ]] && COMPREPLY+=("$name")
    done < <("$1" manual "$verb" --words 2>/dev/null)
    [[ $word == -* ]] && return
    case $verb in
    coverage) COMPREPLY=($(compgen -W "enable disable status report json xml lcov markdown combine all" -- "$word")) ;;
    layer) COMPREPLY=($(compgen -W "build validate publish python-coverage" -- "$word") $(compgen -f -- "$word")) ;;
    list) COMPREPLY=($(compgen -W "stacks functions resources outputs" -- "$word")) ;;
    local) COMPREPLY=($(compgen -W "invoke start-lambda start-api" -- "$word")) ;;
    test) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}
complete -F _lamina lamina
