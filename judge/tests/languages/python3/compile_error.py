def hello(:
    pass
