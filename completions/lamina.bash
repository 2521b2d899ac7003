# bash completion of lamina. The words come from the program's own option tables.
_lamina() {
    local word=$2 before=$3 verb=${COMP_WORDS[1]} name value line action= actions
    COMPREPLY=()
    if [ "$COMP_CWORD" -le 1 ]; then
        COMPREPLY=($(compgen -W "$("$1" manual --verbs 2>/dev/null | cut -f1)" -- "$word"))
        return
    fi
    if [ "$verb" = help ] && [ "$COMP_CWORD" -eq 2 ]; then
        COMPREPLY=($(compgen -W "$("$1" manual --verbs 2>/dev/null | cut -f1)" -- "$word"))
        return
    fi
    # A verb that is several has actions, with options of their own.
    [ "$verb" = help ] && verb=${COMP_WORDS[2]}
    actions=$("$1" manual "$verb" --actions 2>/dev/null | cut -f1)
    if [ "${COMP_WORDS[1]}" = help ]; then
        COMPREPLY=($(compgen -W "$actions" -- "$word"))
        return
    fi
    if [ "$COMP_CWORD" -gt 2 ] && [[ $'\n'$actions$'\n' == *$'\n'"${COMP_WORDS[2]}"$'\n'* ]]; then
        action=${COMP_WORDS[2]}
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
    done < <("$1" manual "$verb" $action --words 2>/dev/null)
    [[ $word == -* ]] && return
    if [ -n "$actions" ] && [ -z "$action" ]; then
        COMPREPLY=($(compgen -W "$actions" -- "$word"))
        return
    fi
    case $verb in
    coverage) COMPREPLY=($(compgen -W "all" -- "$word")) ;;
    layer) COMPREPLY=($(compgen -W "python-coverage" -- "$word") $(compgen -f -- "$word")) ;;
    list) COMPREPLY=($(compgen -W "stacks functions resources outputs" -- "$word")) ;;
    test) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}
complete -F _lamina lamina
