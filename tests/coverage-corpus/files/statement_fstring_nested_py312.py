a = {"k": 1}
b = f"{a["k"]}"
c = f"{
    a["k"]  # a comment
}"
d = f"{f"{f"{1 + 1}"}"}"
