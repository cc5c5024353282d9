{{/*
Names. A release that is called as the chart is does not say so twice. Services are called by them, so
there is no dot, and a letter to begin with (RFC 1035), which a release's name need not have.
*/}}
{{- define "evalx.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := printf "%s-%s" .Release.Name $name -}}
{{- if .Values.fullnameOverride -}}
{{- $full = .Values.fullnameOverride -}}
{{- else if contains $name .Release.Name -}}
{{- $full = .Release.Name -}}
{{- end -}}
{{- $full = $full | replace "." "-" -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- $full = printf "%s-%s" .Chart.Name $full -}}
{{- end -}}
{{- $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "evalx.operator" -}}
{{- include "evalx.fullname" . -}}-operator
{{- end -}}

{{- define "evalx.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "evalx.operator" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "evalx.lease" -}}
{{- default (include "evalx.operator" .) .Values.leaderElection.leaseName -}}
{{- end -}}

{{/* An image: (list . IMAGE), where IMAGE has repository, tag and digest. */}}
{{- define "evalx.image" -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (index . 0).Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* What pods are selected by. It cannot be changed later, so there is no version in it. */}}
{{- define "evalx.selector" -}}
app.kubernetes.io/name: evalx-operator
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/*
The same of the service and of Redis: (list . COMPONENT). The name is another one than that of a
JudgeCluster's, which may be called as the release is.
*/}}
{{- define "evalx.selectorOf" -}}
app.kubernetes.io/name: evalx-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
{{- end -}}

{{/* Labels of their pods, which a new version of the chart alone does not make anew. */}}
{{- define "evalx.podLabelsOf" -}}
{{- $ours := dict "app.kubernetes.io/component" (index . 1) "app.kubernetes.io/part-of" "evalx" -}}
{{- merge (include "evalx.selectorOf" . | fromYaml) $ours (deepCopy (index . 0).Values.commonLabels) | toYaml -}}
{{- end -}}

{{/*
Labels of an object: (list . COMPONENT MORE), where MORE is a map. Nobody's label takes the place of
one of ours, by which objects are found.
*/}}
{{- define "evalx.labelsOf" -}}
{{- $root := index . 0 -}}
{{- $ours := dict
  "app.kubernetes.io/name" (printf "evalx-%s" (index . 1))
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/component" (index . 1)
  "app.kubernetes.io/part-of" "evalx"
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- merge $ours (deepCopy (index . 2)) (deepCopy $root.Values.commonLabels) | toYaml -}}
{{- end -}}

{{/* Labels of every object of the operator. */}}
{{- define "evalx.labels" -}}
{{- include "evalx.labelsOf" (list . "operator" dict) -}}
{{- end -}}

{{/* The namespaces with rights of their own, as a list in JSON; empty is the whole cluster. */}}
{{- define "evalx.namespaces" -}}
{{- if .Values.watchNamespaces -}}
{{- uniq .Values.watchNamespaces | toJson -}}
{{- else if eq .Values.rbac.scope "namespace" -}}
{{- list .Release.Namespace | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/* Whether an object of Prometheus' operator is wanted: (list . VALUE KIND), `true` or nothing. */}}
{{- define "evalx.monitored" -}}
{{- $root := index . 0 -}}
{{- $wanted := index . 1 | toString -}}
{{- $kind := index . 2 -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") ($root.Capabilities.APIVersions.Has (printf "monitoring.coreos.com/v1/%s" $kind))) -}}
true
{{- end -}}
{{- end -}}
