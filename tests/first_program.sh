# For scripts to source.
# first_program README LANGUAGE: its first block of code in that language.
first_program() { awk -v fence="\`\`\`$2" '$0 == "```" && found { exit } found { print } $0 == fence { found = 1 }' "$1"; }
