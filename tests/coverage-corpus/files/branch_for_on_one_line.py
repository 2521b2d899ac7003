for i in range(3): x = i
for j in []: x = j
y = 1
