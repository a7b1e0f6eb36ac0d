/* What shells run at each Tab: they give the words to `gopmill completion words`, which answers one
 * word a line and, in a last line, ":file" or ":dir" where files or folders fit, too. */
#include <string.h>

#include "cli/complete.h"

/* Bash cuts words at "=" and ":" too: they are put together again as they stand in the line, and
 * what stands in front of the last piece is taken off the answers. */
static const char BASH[] =
    "# bash completion of gopmill: source it, or put it into\n"
    "# ~/.local/share/bash-completion/completions/gopmill\n"
    "_gopmill() {\n"
    "    local rest=${COMP_LINE:0:COMP_POINT} words=() word line before i IFS=$' \\t\\n'\n"
    "    COMPREPLY=()\n"
    "    for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $i == 0 || -z $rest || $rest == [[:space:]]* ]]; then\n"
    "            rest=${rest#\"${rest%%[![:space:]]*}\"}\n"
    "            word=${word:0:${#rest}}\n"
    "            words+=(\"$word\")\n"
    "        else\n"
    "            word=${word:0:${#rest}}\n"
    "            words[${#words[@]}-1]+=$word\n"
    "        fi\n"
    "        rest=${rest:${#word}}\n"
    "    done\n"
    "    before=${words[${#words[@]}-1]}\n"
    "    before=${before%\"$word\"}\n"
    "    [[ $word == [=:] ]] && before+=$word\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :file) compopt -o default ;;\n"
    "        :dir) compopt -o dirnames ;;\n"
    "        *) COMPREPLY+=(\"${line#\"$before\"}\") ;;\n"
    "        esac\n"
    "    done < <(gopmill completion words -- \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _gopmill gopmill\n";

static const char ZSH[] =
    "#compdef gopmill\n"
    "# zsh completion of gopmill: put it as _gopmill into a folder of $fpath, or source it\n"
    "_gopmill() {\n"
    "    local -a found\n"
    "    local line what=\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :file|:dir) what=$line ;;\n"
    "        *) found+=(\"$line\") ;;\n"
    "        esac\n"
    "    done < <(gopmill completion words -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    compadd -a found\n"
    "    case $what in\n"
    "    :file) _files ;;\n"
    "    :dir) _files -/ ;;\n"
    "    esac\n"
    "}\n"
    "if [[ ${funcstack[1]} == _gopmill ]]; then _gopmill \"$@\"; else compdef _gopmill gopmill; "
    "fi\n";

static const char FISH[] =
    "# fish completion of gopmill: put it into ~/.config/fish/completions/gopmill.fish\n"
    "function __gopmill_words\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    for line in (gopmill completion words -- $words[2..-1] 2>/dev/null)\n"
    "        switch $line\n"
    "            case :file\n"
    "                __fish_complete_path (commandline -ct)\n"
    "            case :dir\n"
    "                __fish_complete_directories (commandline -ct)\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c gopmill -f -a '(__gopmill_words)'\n";

const char *gm_complete_script(const char *shell)
{
    return strcmp(shell, "bash") == 0   ? BASH
           : strcmp(shell, "zsh") == 0  ? ZSH
           : strcmp(shell, "fish") == 0 ? FISH
                                        : NULL;
}
